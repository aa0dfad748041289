"""What does the API answer about the rate of a number?"""

from typing import Any
from urllib.parse import quote

import pytest

from categories.rates.tests.factories import import_rates
from categories.registry import finding, refreshing, registering
from piston.accounts.models import Account
from tests.factories import AccountFactory, make_client

pytestmark = pytest.mark.django_db


@pytest.fixture
def reseller() -> Account:
    account: Account = AccountFactory(is_reseller=True)
    import_rates(
        account,
        "prefix|rate_cost|iso_country_code|direction|ratedeck_id",
        "1|0.5|US||",
        "1415|0.0500|US|outbound|",
        "44|100|GB||gold",
    )
    return account


def ask(actor: Account, number: str, *, of: Account | None = None, **query: str) -> Any:
    path = f"/v2/accounts/{(of or actor).pk}/rates/{quote(number)}"
    return make_client(actor).get(path, query)


@pytest.mark.parametrize("number", ["14157215234", "+14157215234"])
def test_a_number_is_rated(reseller: Account, number: str) -> None:
    answer = ask(reseller, number)

    assert answer.status_code == 200
    assert answer.json()["status"] == "success"
    assert answer.json()["data"] == {
        "number": "+14157215234",
        "prefix": "1415",
        "rate_name": "outbound_US_1415",
        "rate_cost": "0.05",
    }


def test_the_query_may_have_the_other_columns_of_the_action(reseller: Account) -> None:
    inbound = ask(reseller, "14157215234", direction="inbound", _="1795442290285")
    gold = ask(reseller, "447700900123", ratedeck_id="gold")

    assert inbound.json()["data"]["prefix"] == "1"
    assert gold.json()["data"]["rate_cost"] == "100"


@pytest.mark.parametrize(
    ("number", "query", "status", "reason"),
    [
        ("soon", {}, 400, "bad field(s) number: "),
        ("0044770", {}, 400, "bad field(s) number: "),
        ("14157215234", {"direction": "up"}, 400, "bad field(s) direction: "),
        ("14157215234", {"ratedeck_id": "a\0"}, 400, "a query may not hold NUL characters"),
        ("14157215234", {"account_id": "me"}, 400, "bad field(s) account_id: "),
        ("447700900123", {}, 404, "no rate of ratedeck ratedeck fits +447700900123"),
        ("447700900123", {"ratedeck_id": "new"}, 404, "there is no ratedeck new"),
    ],
)
def test_what_is_wrong_is_said(
    reseller: Account, number: str, query: dict[str, str], status: int, reason: str
) -> None:
    answer = ask(reseller, number, **query)

    assert answer.status_code == status
    assert answer.json()["error"] == str(status)
    assert answer.json()["data"]["reason"].startswith(reason)


def test_a_bad_number_in_the_query_changes_nothing(reseller: Account) -> None:
    path = f"/v2/accounts/{reseller.pk}/rates/14157215234"

    answer = make_client(reseller).get(path, {"number": "447700900123"})

    assert answer.json()["data"]["prefix"] == "1415"


def test_only_those_who_may_read_rates_are_answered(reseller: Account) -> None:
    customer = AccountFactory(parent=reseller)

    assert ask(customer, "14157215234").status_code == 403
    assert ask(reseller, "14157215234", of=customer).status_code == 403
    assert ask(customer, "14157215234", of=reseller).status_code == 403
    assert make_client(reseller).get("/v2/rates/14157215234").status_code == 403


def test_a_super_duper_admin_asks_the_decks_of_the_system_and_of_resellers(
    reseller: Account,
) -> None:
    admin = AccountFactory(is_superadmin=True)
    import_rates(admin, "prefix|rate_cost", "1|0.7")

    own = make_client(admin).get("/v2/rates/14157215234")

    assert own.json()["data"]["rate_cost"] == "0.7"
    assert ask(admin, "14157215234", of=reseller).json()["data"]["rate_cost"] == "0.05"


def test_a_disabled_category_rates_nothing(
    reseller: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "_registry", refreshing.Registry())
    registering.set_enabled(["rates"], is_enabled=False)

    answer = ask(reseller, "14157215234")

    assert answer.status_code == 404
    assert answer.json()["data"] == ["rates"]
