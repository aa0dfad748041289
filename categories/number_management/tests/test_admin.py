import re

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from categories.number_management.actions.delete import Delete
from categories.number_management.models import NumberChange, PhoneNumber
from categories.number_management.tests.factories import (
    NUMBER,
    PhoneNumberFactory,
    as_now,
    make_superadmin,
)
from categories.testing import run_action
from tests.factories import AccountFactory

pytestmark = pytest.mark.django_db

LIST = "admin:number_management_phonenumber_changelist"
ADD = "/admin/number_management/phonenumber/add/"


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
    ]

    assert answers == [403, 403]


def test_a_number_that_a_carrier_offers_is_put_in_discovery(staff: Client) -> None:
    page = staff.get(ADD).content.decode()
    staff.post(ADD, {"number": NUMBER, "carrier_module": "knm_telnyx"})

    assert "account" not in re.findall(r'name="(\w+)"', page)
    stored = PhoneNumber.objects.get()
    assert (stored.number, stored.state, stored.account) == (NUMBER, "discovery", None)
    assert stored.carrier_module == "knm_telnyx"
    change = NumberChange.objects.get()
    assert (change.action, change.from_state, change.to_state) == ("discover", None, "discovery")


@pytest.mark.parametrize(
    ("number", "why"),
    [
        ("4157215234", "This is not E.164"),
        ("+911", "number +911 is not reconcilable"),
        ("+14150000009", "already exists"),
    ],
)
def test_what_cannot_be_offered_is_refused(staff: Client, number: str, why: str) -> None:
    PhoneNumberFactory.create(number="+14150000009")

    page = staff.post(ADD, {"number": number, "carrier_module": "knm_telnyx"}).content.decode()

    assert why in page
    assert PhoneNumber.objects.count() == 1


def test_staff_record_that_numbers_go_to_another_operator_or_stay(staff: Client) -> None:
    number = PhoneNumberFactory.create(number=NUMBER)
    other = PhoneNumberFactory.create(state="reserved")
    chosen = {"_selected_action": [number.pk, other.pk]}

    states = []
    for action in ("port_out", "cancel_port_out"):
        staff.post(reverse(LIST), {"action": action, **chosen})
        states.append(as_now(NUMBER)["state"])

    assert states == ["port_out", "in_service"]
    assert as_now(NUMBER)["account_id"] == number.account_id
    assert as_now(other.number)["state"] == "reserved"
    told = NumberChange.objects.order_by("id").values_list("action", "from_state", "to_state")
    assert list(told) == [
        ("port_out", "in_service", "port_out"), ("cancel_port_out", "port_out", "in_service"),
    ]  # fmt: skip
    assert LogEntry.objects.count() == 2


def test_staff_who_may_only_view_numbers_record_nothing() -> None:
    client = Client()
    user = User.objects.create_user("bob", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_phonenumber"))
    client.force_login(user)
    number = PhoneNumberFactory.create(number=NUMBER)

    client.post(reverse(LIST), {"action": "port_out", "_selected_action": [number.pk]})
    answer = client.post(ADD, {"number": "+14150000009", "carrier_module": "knm_telnyx"})

    assert answer.status_code == 403
    assert [PhoneNumber.objects.count(), as_now(NUMBER)["state"]] == [1, "in_service"]


def test_a_number_shows_who_reserved_it(staff: Client) -> None:
    top, shop = AccountFactory.create(name="Top"), AccountFactory.create(name="Shop")
    number = PhoneNumberFactory.create(
        state="reserved", account=shop, reservations=f"{shop.pk} {top.pk}"
    )
    url = reverse("admin:number_management_phonenumber_change", args=[number.pk])

    page = staff.get(url).content.decode()

    assert f"Shop ({shop.pk}), Top ({top.pk})" in page


def test_the_register_is_searched_too(staff: Client) -> None:
    PhoneNumberFactory.create(number=NUMBER)
    run_action(Delete, [{"e164": NUMBER}], account=make_superadmin())
    url = reverse("admin:number_management_numberchange_changelist")

    page = staff.get(url, {"q": "+1415"}).content.decode()

    assert NUMBER in page
