"""Do quantities leave and enter as JSON lines, and what is refused?"""

import json
from typing import Any

import pytest

from categories.services import exchange
from categories.services.errors import BadQuantities
from categories.services.exchange import export_lines, import_lines
from categories.services.models import ServiceQuantity
from tests.factories import AccountFactory

pytestmark = pytest.mark.django_db


def make_line(**fields: Any) -> bytes:
    return json.dumps({"year": 2024, "month": 2, **fields}).encode()


def test_what_was_exported_can_be_imported() -> None:
    account = AccountFactory()
    ServiceQuantity.objects.create(
        account=account, year=2024, month=2, bom={"ips": {"dédié": 0}}, eom=None
    )
    ServiceQuantity.objects.create(
        account=account, year=2023, month=12, bom={}, eom={"a": {"b": 1}}
    )
    before = list(ServiceQuantity.objects.order_by("year").values("year", "month", "bom", "eom"))
    lines = [line.encode() + b"\n" for line in export_lines()]
    ServiceQuantity.objects.all().delete()

    assert import_lines(lines) == 2

    after = list(ServiceQuantity.objects.order_by("year").values("year", "month", "bom", "eom"))
    assert after == before


def test_lines_come_by_account_year_and_month() -> None:
    accounts = sorted(AccountFactory().pk for _ in range(2))
    months = [(pk, year, month) for pk in accounts for year in (2023, 2024) for month in (2, 10)]
    for pk, year, month in reversed(months):
        ServiceQuantity.objects.create(account_id=pk, year=year, month=month)

    lines = [json.loads(line) for line in export_lines()]

    assert [(line["account_id"], line["year"], line["month"]) for line in lines] == months


def test_a_line_replaces_its_month() -> None:
    account = AccountFactory()
    ServiceQuantity.objects.create(account=account, year=2024, month=2, bom={}, eom={})

    import_lines([make_line(account_id=account.pk, bom={"ips": {"dedicated": 3}})])

    month = ServiceQuantity.objects.get()
    assert (month.bom, month.eom) == ({"ips": {"dedicated": 3}}, None)


@pytest.mark.parametrize("lines_at_a_time", [1, 2, 1000])
def test_of_two_lines_for_one_month_the_later_counts(
    monkeypatch: pytest.MonkeyPatch, lines_at_a_time: int
) -> None:
    monkeypatch.setattr(exchange, "LINES_AT_A_TIME", lines_at_a_time)
    account = AccountFactory()
    lines = [make_line(account_id=account.pk, bom={"n": {"n": count}}) for count in range(3)]

    assert import_lines([*lines[:1], b"\n", *lines[1:]]) == 3

    assert ServiceQuantity.objects.get().bom == {"n": {"n": 2}}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"account_id": "f" * 32}, "there is no account ffff"),
        ({"account_id": 7}, "account_id is not a text"),
        ({"year": "2024"}, "year is not a whole number of 4 digits"),
        ({"year": 999}, "year is not a whole number of 4 digits"),
        ({"month": 13}, "month is not a whole number from 1 to 12"),
        ({"month": True}, "month is not a whole number from 1 to 12"),
        ({"bom": []}, "bom is not an object of categories"),
        ({"eom": {"ips": 3}}, "eom: 'ips' is not a category with an object of items"),
        ({"eom": {"": {}}}, "eom: '' is not a category with an object of items"),
        ({"bom": {"ips": {"x": 1.5}}}, "bom: ips.x is not a whole number of at least 0"),
        ({"bom": {"ips": {"x": -1}}}, "bom: ips.x is not a whole number of at least 0"),
        ({"bom": {"ips": {"\0": 1}}}, "is not a whole number of at least 0"),
        ({"bom": {"\ud800": {}}}, "is not a category with an object of items"),
        ({"day": 1}, "unknown field(s) day"),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_imported(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], why: str
) -> None:
    monkeypatch.setattr(exchange, "LINES_AT_A_TIME", 1)  # the good line is written before
    account = AccountFactory()
    good = make_line(account_id=account.pk)

    with pytest.raises(BadQuantities) as caught:
        import_lines([good, b"", make_line(**{"account_id": account.pk, **changes})])

    assert caught.value.line == 3
    assert why in caught.value.why
    assert str(caught.value).startswith("Line 3: ")
    assert str(caught.value).endswith(". Nothing was imported.")
    assert not ServiceQuantity.objects.exists()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"{", "it is not JSON"),
        (b'{"a": "\xff"}', "it is not JSON"),
        (b"[]", "it is not a JSON object"),
        (b"{}", "missing field(s) account_id, year, month"),
        (b"[" * 100_000, "it is not JSON"),
    ],
)
def test_what_is_no_object_of_fields_is_refused(line: bytes, why: str) -> None:
    with pytest.raises(BadQuantities, match="Line 1: ") as caught:
        import_lines([line])

    assert why in caught.value.why
