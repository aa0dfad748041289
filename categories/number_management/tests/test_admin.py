import re

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from categories.number_management.actions.delete import Delete
from categories.number_management.tests.factories import (
    NUMBER,
    PhoneNumberFactory,
    make_superadmin,
)
from categories.testing import run_action
from tests.factories import AccountFactory

pytestmark = pytest.mark.django_db

LIST = "admin:number_management_phonenumber_changelist"


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("ann"))
    return client


def found(client: Client, term: str) -> set[str]:
    page = client.get(reverse(LIST), {"q": term}).content.decode()
    return set(re.findall(r">(\+\d+)</a>", page))


@pytest.mark.parametrize("term", ["+1415721", "1415721", "+1 (415) 721", NUMBER])
def test_numbers_are_found_by_how_they_begin(staff: Client, term: str) -> None:
    PhoneNumberFactory.create(number=NUMBER)
    PhoneNumberFactory.create(number="+14158000000")

    assert found(staff, term) == {NUMBER}


@pytest.mark.parametrize("term", ["nobody", "721", "+" + "1" * 20])
def test_what_is_no_beginning_finds_nothing(staff: Client, term: str) -> None:
    PhoneNumberFactory.create(number=NUMBER)

    assert found(staff, term) == set()


def test_numbers_are_found_by_their_account(staff: Client) -> None:
    account = AccountFactory.create()
    PhoneNumberFactory.create(number=NUMBER, account=account)
    PhoneNumberFactory.create()

    assert found(staff, account.pk) == {NUMBER}


def test_a_number_is_shown_to_read_with_its_plan_and_its_register(staff: Client) -> None:
    PhoneNumberFactory.create(number=NUMBER)
    run_action(Delete, [{"e164": NUMBER}], account=make_superadmin())
    again = PhoneNumberFactory.create(number=NUMBER)
    url = reverse("admin:number_management_phonenumber_change", args=[again.pk])

    page = staff.get(url).content.decode()

    assert "+1 415-721-5234" in page
    assert "fixed line or mobile" in page
    assert "in_service → deleted" in page
    assert "_save" not in page


def test_numbers_cannot_be_changed_by_hand(staff: Client) -> None:
    number = PhoneNumberFactory.create(number=NUMBER)
    url = reverse("admin:number_management_phonenumber_change", args=[number.pk])

    answers = [
        staff.post(url, {"state": "available"}).status_code,
        staff.post(url.replace("change", "delete"), {"post": "yes"}).status_code,
        staff.get(reverse("admin:number_management_phonenumber_add")).status_code,
    ]

    assert answers == [403, 403, 403]


def test_the_register_is_searched_too(staff: Client) -> None:
    PhoneNumberFactory.create(number=NUMBER)
    run_action(Delete, [{"e164": NUMBER}], account=make_superadmin())
    url = reverse("admin:number_management_numberchange_changelist")

    page = staff.get(url, {"q": "+1415"}).content.decode()

    assert NUMBER in page
