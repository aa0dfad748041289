"""What can staff do with rates?"""

from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from categories.rates.filling import make_routes
from categories.rates.models import Rate
from categories.rates.tests.factories import RatedeckFactory, RateFactory

pytestmark = pytest.mark.django_db
ADD_RATE = "admin:rates_rate_add"


def test_the_list_of_decks_counts_their_rates(admin_client: Client) -> None:
    rate = RateFactory(ratedeck__account=None)
    RateFactory(ratedeck=rate.ratedeck, prefix="1416")
    RatedeckFactory()

    page = admin_client.get(reverse("admin:rates_ratedeck_changelist"))

    assert sorted(deck.rate_count for deck in page.context["cl"].result_list) == [0, 2]
    assert b"the system" in page.content


@pytest.mark.parametrize(
    ("number", "answer"),
    [
        ("+1 (415) 723-5234", "is charged by"),
        ("447700900123", "No rate of this deck fits +447700900123."),
        ("soon", "Write the number with its country&#x27;s code"),
        ("", "This field is required."),
    ],
)
def test_the_box_rates_a_number(admin_client: Client, number: str, answer: str) -> None:
    rate = RateFactory(rate_cost=Decimal(100))
    address = reverse("admin:rates_ratedeck_change", args=[rate.ratedeck.pk])

    page = admin_client.get(address, {"number": number, "direction": ""})

    assert answer in page.content.decode()
    assert (": 100 a minute" in page.content.decode()) is (answer == "is charged by")


def test_the_box_asks_nothing_at_first(admin_client: Client) -> None:
    address = reverse("admin:rates_ratedeck_change", args=[RatedeckFactory().pk])

    page = admin_client.get(address)

    assert b"Rate a number" in page.content
    assert b"This field is required" not in page.content


def test_the_box_shows_nothing_to_staff_without_permission(client: Client) -> None:
    rate = RateFactory()
    client.force_login(User.objects.create_user("clerk", is_staff=True))
    address = reverse("admin:rates_ratedeck_change", args=[rate.ratedeck.pk])

    page = client.get(address, {"number": "14157215234"})

    assert page.status_code == 403


def test_the_box_serves_staff_that_may_only_look(client: Client) -> None:
    rate = RateFactory()
    clerk = User.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_ratedeck"))
    client.force_login(clerk)
    address = reverse("admin:rates_ratedeck_change", args=[rate.ratedeck.pk])

    page = client.get(address, {"number": "14157215234"})

    assert b"is charged by" in page.content


@pytest.mark.parametrize(("has_rates", "status"), [(True, 403), (False, 200)])
def test_only_an_empty_deck_can_be_deleted(
    admin_client: Client, *, has_rates: bool, status: int
) -> None:
    deck = RateFactory().ratedeck if has_rates else RatedeckFactory()

    page = admin_client.get(reverse("admin:rates_ratedeck_delete", args=[deck.pk]))

    assert page.status_code == status


def test_a_new_rate_is_filled_in(admin_client: Client) -> None:
    deck = RatedeckFactory()

    answer = admin_client.post(
        reverse(ADD_RATE),
        {"ratedeck": deck.pk, "prefix": "1415", "rate_cost": "0.05", "iso_country_code": "US"}
        | {"caller_id_numbers": "441"},
    )

    assert answer.status_code == 302
    rate = Rate.objects.get()
    assert (rate.rate_id, rate.rate_name, rate.weight) == ("US-1415", "US_1415", 35)
    assert (rate.routes, rate.options) == (make_routes("1415"), [])
    assert rate.caller_id_numbers == r"^\+?441.+$"


@pytest.mark.parametrize("fields", [{"prefix": "0044"}, {"iso_country_code": "UK"}])
def test_what_an_import_would_refuse_is_refused(
    admin_client: Client, fields: dict[str, str]
) -> None:
    given = {"ratedeck": RatedeckFactory().pk, "prefix": "1415", "rate_cost": "1"} | fields

    answer = admin_client.post(reverse(ADD_RATE), given)

    assert list(answer.context["adminform"].form.errors) == list(fields)


def test_a_rate_that_is_there_already_is_refused(admin_client: Client) -> None:
    rate = RateFactory()

    answer = admin_client.post(
        reverse(ADD_RATE), {"ratedeck": rate.ratedeck.pk, "prefix": "1415", "rate_cost": "1"}
    )

    assert answer.status_code == 200
    assert Rate.objects.count() == 1


def test_routes_that_are_no_texts_are_refused(admin_client: Client) -> None:
    answer = admin_client.post(
        reverse(ADD_RATE),
        {"ratedeck": RatedeckFactory().pk, "prefix": "1", "rate_cost": "1", "routes": "[1]"},
    )

    assert b"Write a JSON list of texts" in answer.content
    assert not Rate.objects.exists()


def test_a_new_cost_has_a_new_weight(admin_client: Client) -> None:
    rate = RateFactory(routes=make_routes("1415"), task_id="x", task_row=7)
    address = reverse("admin:rates_rate_change", args=[rate.pk])
    shown = admin_client.get(address).context["adminform"].form.initial
    typed = {name: value for name, value in shown.items() if value is not None}

    answer = admin_client.post(
        address, typed | {"rate_cost": "0.15", "routes": '["^\\\\+?1415.+$"]', "options": "[]"}
    )

    assert answer.status_code == 302
    rate.refresh_from_db()
    assert (rate.rate_cost, rate.weight, rate.rate_id) == (Decimal("0.15"), 25, "XX-1415")
    assert (rate.task_id, rate.task_row) == (None, None)  # it is not what the import wrote


def test_rates_are_found_by_how_their_prefix_begins(admin_client: Client) -> None:
    RateFactory(prefix="1415")
    RateFactory(prefix="4415")

    page = admin_client.get(reverse("admin:rates_rate_changelist"), {"q": "14"})

    assert [rate.prefix for rate in page.context["cl"].result_list] == ["1415"]
