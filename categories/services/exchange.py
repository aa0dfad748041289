"""Exports and imports quantities as JSON lines, one per account and month.

`{"account_id": "…", "year": 2024, "month": 1, "bom": {"ips": {"dedicated": 3}}, "eom": null}`
A document that is null was not taken; a category that is null is not known.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from django.db import transaction

from categories.services.errors import BadQuantities
from categories.services.models import ServiceQuantity
from piston.accounts.models import Account

LINES_AT_A_TIME = 1_000
FIELDS = ("account_id", "year", "month", "bom", "eom")
OPTIONAL = {"bom", "eom"}
# characters that JSON can escape, but PostgreSQL cannot store
UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def export_lines() -> Iterator[str]:
    """Yield all quantities, sorted by account, year and month, as lines without line ends."""
    rows = ServiceQuantity.objects.order_by("account_id", "year", "month").values(*FIELDS)
    for row in rows.iterator(chunk_size=LINES_AT_A_TIME):
        yield json.dumps(row, ensure_ascii=False)


@transaction.atomic
def import_lines(lines: Iterable[bytes]) -> int:
    """Store the quantities of all lines and return how many, or raise BadQuantities and store none.

    A line replaces its account's month: a document that the line lacks is removed. If two lines
    have the same month, the later one counts. Empty lines are skipped.
    """
    numbered = ((number, line) for number, line in enumerate(lines, 1) if line.strip())
    stored = 0
    while batch := list(islice(numbered, LINES_AT_A_TIME)):
        months = {number: parse_line(number, line) for number, line in batch}
        refuse_unknown_accounts(months)
        newest = {(row.account_id, row.year, row.month): row for row in months.values()}
        ServiceQuantity.objects.bulk_create(
            newest.values(),
            update_conflicts=True,
            unique_fields=["account", "year", "month"],
            update_fields=["bom", "eom", "bom_at", "eom_at"],  # no moment: as imported
        )
        stored += len(batch)
    return stored


def refuse_unknown_accounts(months: dict[int, ServiceQuantity]) -> None:
    """Raise BadQuantities for the first line whose account does not exist."""
    named = {month.account_id for month in months.values()}
    known = set(Account.objects.filter(pk__in=named).values_list("pk", flat=True))
    for number, month in months.items():
        if month.account_id not in known:
            raise BadQuantities(number, f"there is no account {month.account_id}")


def parse_line(number: int, line: bytes) -> ServiceQuantity:
    """Return the unsaved quantities of a line, or raise BadQuantities."""
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadQuantities(number, f"it is not JSON ({error})") from error
    problem = find_problem(fields)
    if problem:
        raise BadQuantities(number, problem)
    return ServiceQuantity(**fields)


def find_problem(fields: Any) -> str | None:
    """Return the problem of a line's fields; None if there is none."""
    if not isinstance(fields, dict):
        return "it is not a JSON object"
    if unknown := sorted(fields.keys() - set(FIELDS)):
        return f"unknown field(s) {', '.join(unknown)}"
    if missing := [name for name in FIELDS if name not in fields.keys() | OPTIONAL]:
        return f"missing field(s) {', '.join(missing)}"
    if not isinstance(fields["account_id"], str):
        return "account_id is not a text"
    if not is_count(fields["year"]) or not 1000 <= fields["year"] <= 9999:
        return "year is not a whole number of 4 digits"
    if not is_count(fields["month"]) or not 1 <= fields["month"] <= 12:
        return "month is not a whole number from 1 to 12"
    return find_document_problem("bom", fields.get("bom")) or find_document_problem(
        "eom", fields.get("eom")
    )


def find_document_problem(name: str, document: Any) -> str | None:
    """Return the problem of a document of quantities; None if there is none."""
    if document is None:
        return None
    if not isinstance(document, dict):
        return f"{name} is not an object of categories"
    for category, items in document.items():
        if not is_name(category) or not isinstance(items, dict | None):
            return f"{name}: {category!r} is not a category with an object of items"
        for item, count in (items or {}).items():
            if not is_name(item) or not is_count(count):
                return f"{name}: {category}.{item} is not a whole number of at least 0"
    return None


def is_name(text: str) -> bool:
    """Tell whether a text can name a category or an item: it is not empty and can be stored."""
    return bool(text) and not UNSTORABLE.search(text)


def is_count(value: Any) -> bool:
    """Tell whether a value is a whole number of at least 0, and no boolean."""
    return type(value) is int and value >= 0
