"""Does PostgreSQL write exactly the same bytes as our own code?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db.models import F

from categories.columns import Column, JSONColumn, TextColumn
from categories.contract import PageAction
from categories.contract.outcomes import WrittenRows
from categories.contract.rows import OutputShape
from categories.database.copy_out import copy_out, next_page_rows
from categories.number_management.actions import listing
from categories.number_management.models import PhoneNumber
from categories.number_management.tests.factories import PhoneNumberFactory
from categories.rates.actions import export
from categories.rates.models import Rate
from categories.rates.tests.factories import RateFactory
from tasks_app.csv_files.writing import encode_rows

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]

TEXTS = [
    "", " ", "plain", "a,b", 'say "hi"', "two\nlines", "a\r\nb", "a\rb", r"\.", r"\N", "é𝄞",
    "\u2028", "'", "\\", '", "', "NULL", "\t", "=1+1", "\x01", "\x7f", "a;b",
]  # fmt: skip
COSTS = ["0", "0.05", "1.10", "100", "99999.0123456789", "0.0000000001", "10"]


def expected_content(action: type[PageAction], rows: Sequence[Any]) -> bytes:
    shape = OutputShape(action)
    lines = encode_rows([shape.succeeded_cells(row) for row in rows])
    return b"".join(line + b"\n" for line in lines)


def make_rates() -> None:
    for number, text in enumerate(TEXTS):
        cost = Decimal(COSTS[number % len(COSTS)])
        RateFactory(
            prefix=str(number + 1),
            rate_id=str(number),
            description=text,
            carrier=text or None,
            rate_cost=cost,
            internal_rate_cost=cost,
            rate_surcharge=None,
            rate_minimum=number or None,
            options=[] if not text else [text, "b"],
            routes=[text],
        )


def test_rates() -> None:
    make_rates()
    rates = Rate.objects.order_by("rate_id")

    written = copy_out(rates, export.CELLS)

    assert isinstance(written, WrittenRows)
    rows = list(rates.values_list(*export.CELLS.values()))
    assert written.content == expected_content(export.Export, rows)


def test_numbers() -> None:
    for text in TEXTS:
        PhoneNumberFactory(
            used_by=text[:100] or None,
            ported_in=not text,
            created_at=datetime(2024, 2, 29, 23, 59, 59, 999_999, UTC),
            features={
                "cnam": {"inbound_lookup": True, "display_name": text},
                "e911": {"locality": text},
                "prepend": {"enabled": False, "name": None},
                "force_outbound": False,
                "failover": {"e164": "+14157215234"},
            },
        )
    PhoneNumberFactory(features={}, previously_assigned_to="f" * 32)
    PhoneNumberFactory(features={"cnam": "no object"})
    numbers = PhoneNumber.objects.order_by("number")

    written = copy_out(numbers, listing.CELLS)

    assert isinstance(written, WrittenRows)
    assert written.content == expected_content(listing.List, listing.read_in_python(numbers))


def test_written_rows_give_their_cells_as_texts() -> None:
    make_rates()
    written = copy_out(Rate.objects.order_by("rate_id"), export.CELLS)
    assert written is not None

    cells = [OutputShape(export.Export).succeeded_cells(row) for row in written]

    assert b"".join(line + b"\n" for line in encode_rows(cells)) == written.content
    assert len(written) == len(TEXTS)


class LoudColumn(TextColumn):
    def format(self, value: str | None) -> str:
        return (value or "").upper()


@pytest.mark.parametrize("kind", [JSONColumn, LoudColumn])
def test_a_column_that_only_python_can_write_is_an_error(kind: type[Column[Any]]) -> None:
    column = kind("anything", "Anything.")

    with pytest.raises(NotImplementedError, match="anything>: no SQL is known"):
        copy_out(Rate.objects.all(), {column: F("description")})


@pytest.mark.parametrize(
    ("size", "row_bytes", "expected"),
    [(5_000, 100, 20_000), (20_000, 100, 41_943), (5_000, 10_000, 419), (5_000, 10**7, 1)],
)
def test_pages_aim_at_a_number_of_bytes(size: int, row_bytes: int, expected: int) -> None:
    rows = WrittenRows(bytes(10 * row_bytes), 10, seconds=0)

    assert next_page_rows(size, rows) == expected


@pytest.mark.parametrize("rows", [[("a", "b")], WrittenRows(b"", 0, seconds=0)])
def test_pages_that_say_nothing_about_bytes_stay_as_they_are(rows: Any) -> None:
    assert next_page_rows(5_000, rows) == 5_000


@pytest.mark.parametrize(("seconds", "expected"), [(2.5, 500), (0.25, 5_000), (10_000, 1)])
def test_pages_aim_at_a_time(seconds: float, expected: int) -> None:
    rows = WrittenRows(bytes(5_000), 5_000, seconds)

    assert next_page_rows(5_000, rows) == expected
