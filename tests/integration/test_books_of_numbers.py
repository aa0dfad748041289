"""Do the books of thousands of numbers balance after each step of their life?

`--fuzz-factor 20` takes 100,000 numbers.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence

import pytest
from django.utils import timezone

from categories import registry
from categories.number_management.models import NumberChange, PhoneNumber
from categories.services.counting import Quantity, count_numbers, count_numbers_at
from piston.accounts.models import Account
from tasks_app import creating
from tasks_app.execution import assembly, worker
from tasks_app.management.real_numbers import real_numbers
from tests import engine
from tests.broker import broker
from tests.factories import AccountFactory
from tests.patience import many

__all__ = ["broker"]

pytestmark = pytest.mark.django_db(transaction=True)

COUNT = many(5_000)
MISSING = "+14150000000"  # a row with it fails at each step but the first
Books = dict[str, tuple[str, str | None]]  # number -> state and account


def run(action: str, header: str, rows: Iterable[Sequence[str]], account: Account) -> Counter[str]:
    """Run a task as a worker does; return how often each error came, "" for success."""
    content = io.StringIO(newline="")
    csv.writer(content, lineterminator="\n").writerows([header.split(","), *rows])
    found = registry.get_action("number_management", action)
    order = creating.Order(account, account, *found, engine.TESTER)
    task = engine.start(creating.submit_csv(order, io.BytesIO(content.getvalue().encode())))
    slice_number = 0
    while task.segments.all().unfinished().exists():
        slice_number += 1
        worker.run_slice(task.pk, f"slice-{slice_number}")
        engine.assert_balanced(task)
    if not engine.fresh(task).is_assembled:
        assembly.assemble(task.pk)
    assert engine.fresh(task).status in {"success", "partial"}
    lines = engine.read(task)[1:]
    return Counter(line[-1] for line in lines)


def assert_balanced(books: Books) -> None:
    """Check the table, the history and the quantities against the books."""
    stored = {
        number: (state, account_id)
        for number, state, account_id in PhoneNumber.objects.values_list(
            "number", "state", "account_id"
        )
    }
    told: Books = {}
    changes = NumberChange.objects.order_by("id").values_list(
        "number", "action", "from_state", "from_account", "to_state", "to_account"
    )
    for number, action, from_state, from_account, to_state, to_account in changes.iterator():
        before = told.pop(number, (None, None))
        assert before == (from_state, from_account)
        if action != "delete":
            told[number] = (to_state, to_account)
    counted = Counter((state, holder) for state, holder in books.values() if holder)
    assert stored == books
    assert told == books
    assert count(count_numbers()) == counted
    assert count(count_numbers_at(timezone.now())) == counted


def count(quantities: Iterable[Quantity]) -> Counter[tuple[str, str | None]]:
    """Return how many numbers an account has in a state, in whichever country."""
    counts: Counter[tuple[str, str | None]] = Counter()
    for account_id, item, quantity in quantities:
        counts[item.rsplit("_", 1)[0], account_id] += quantity
    return counts


def test_the_books_balance_after_each_step(broker: object) -> None:
    reseller = AccountFactory.create()
    shops = [AccountFactory.create(parent=reseller).pk for _ in range(20)]
    admin = AccountFactory.create(is_superadmin=True)
    numbers = real_numbers(COUNT)
    books: Books = {}

    def shop(n: int, step: int) -> str:
        return shops[(n * 3 + step) % len(shops)]

    def check(found: Counter[str], expected: dict[str, int]) -> None:
        assert found == expected
        assert_balanced(books)

    rows = [(number, shop(n, 0)) for n, number in enumerate(numbers)]
    added = run("add", "number,account_id", rows, reseller)
    books = {number: ("in_service", account_id) for number, account_id in rows}
    check(added, {"": COUNT})

    missing = {f"number {MISSING} not found": 1}
    rows = [(number, shop(n, 1)) for n, number in enumerate(numbers)]
    assigned = run("assign_to", "e164,account_id", [*rows, (MISSING, "")], reseller)
    books = {number: ("in_service", account_id) for number, account_id in rows}
    check(assigned, {"": COUNT, **missing})

    cells = [(number, f"Shop {n}", str(n)) for n, number in enumerate(numbers)]
    header = "e164,cnam.outbound,opaque.shop.n"
    updated = run("update_merge", header, [*cells, (MISSING, "", "")], reseller)
    check(updated, {"": COUNT, **missing})
    assert PhoneNumber.objects.get(number=numbers[-1]).features == {
        "cnam": {"display_name": f"Shop {COUNT - 1}"}, "shop": {"n": str(COUNT - 1)},
    }  # fmt: skip

    # every third number is first reserved for the reseller, in the same file
    rows = [
        (number, account_id)
        for n, number in enumerate(numbers)
        for account_id in ([reseller.pk] if n % 3 == 0 else []) + [shop(n, 2)]
    ]
    reserved = run("reserve", "e164,account_id", [*rows, (MISSING, "")], reseller)
    books = {number: ("reserved", account_id) for number, account_id in rows}
    check(reserved, {"": len(rows), **missing})

    released = run("release", "e164", [*((number,) for number in numbers), (MISSING,)], reseller)
    books = {
        number: ("reserved", reseller.pk) if n % 3 == 0 else ("deleted", None)
        for n, number in enumerate(numbers)
    }
    check(released, {"": COUNT, **missing})

    deleted = run("delete", "e164", [*((number,) for number in numbers), (MISSING,)], admin)
    books = {}
    check(deleted, {"": COUNT, **missing})
