"""Which categories do tests run? Small ones whose rows say what is to become of them."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

from django.db import connection

from categories.columns import IntegerColumn, TextColumn
from categories.contract import (
    Category,
    Context,
    Effects,
    Outcome,
    Page,
    PageAction,
    Refused,
    RetryLater,
    Row,
    RowAction,
    RowFailed,
    StopTask,
    Succeeded,
)
from piston.accounts.models import Account

calls: list[str] = []  # what actions saw in this process, in order


def obey(order: str | None) -> None:
    """Do what a row's `do` cell says."""
    match order:
        case "fail":
            raise RowFailed("told to fail")
        case "crash":
            raise ZeroDivisionError("told to crash")
        case "orphan":  # PostgreSQL looks at foreign keys at the COMMIT
            Account.objects.bulk_create([Account(name="orphan", parent_id="0" * 32)])
        case "miss":  # a table that somebody has to make
            execute("INSERT INTO nowhere (name) VALUES ('x')")
        case "slip":  # which nobody can make right but the author
            execute("INSERT INT nowhere")
        case "stop":
            raise StopTask("told to stop")
        case "sleep":
            time.sleep(60)
        case "later":
            raise RetryLater(300)
        case "kill":
            os.kill(os.getpid(), 9)


def execute(statement: str) -> None:
    """Send a statement of the action's own."""
    with connection.cursor() as cursor:
        cursor.execute(statement)


class Check(RowAction):
    """Read rows and say what was seen.

    For tests of actions without effects.
    """

    name_ = TextColumn("What to echo.", name="name", mandatory=True)
    do = TextColumn("What is to become of the row.")
    output = [TextColumn("seen", "What was seen.")]
    effects = Effects.NONE
    row_seconds = 0.5

    def process(self, row: Row, context: Context) -> Succeeded:
        """Echo the name."""
        calls.append(row["name"])
        obey(row.do)
        return Succeeded(seen=row["name"].upper())


class Swell(RowAction):
    """Answer each row with a hundred thousand bytes.

    For tests of what output may grow to.
    """

    name_ = TextColumn("Anything.", name="name", mandatory=True)
    do = TextColumn("Anything.")
    output = [TextColumn("much", "Too much.")]
    effects = Effects.NONE

    def process(self, row: Row, context: Context) -> Succeeded:
        """Say a lot."""
        calls.append(row["name"])
        return Succeeded(much="x" * 100_000)


class Add(RowAction):
    """Add an account per row.

    For tests of actions that write, and of what is rolled back.
    """

    name_ = TextColumn("Name of the account.", name="name", mandatory=True)
    do = TextColumn("What is to become of the row, after it has written.")
    output = [TextColumn("seen", "What was written.")]
    row_seconds = 0.5

    def process(self, row: Row, context: Context) -> Succeeded:
        """Write first, then obey."""
        calls.append(row["name"])
        Account.objects.create(name=row["name"], parent=context.account)
        obey(row.do)
        return Succeeded(seen=row["name"])


class AddBatch(Add):
    """Add accounts a batch at once.

    For tests of actions that are set-based.
    """

    name = "add_batch"

    def process_batch(self, rows: Sequence[Row], context: Context) -> list[Outcome]:
        """Write all rows, then obey each."""
        calls.append(f"batch of {len(rows)}")
        for row in rows:
            Account.objects.create(name=row["name"], parent=context.account)
        for row in rows:
            obey(row.do)
        return [Succeeded(seen=row["name"]) for row in rows]


class Spread(Check):
    """Read rows on many workers.

    For tests of parallel segments.
    """

    ordered = False


class Send(RowAction):
    """Send rows to the outside, each at most once.

    For tests of external effects that must not be repeated.
    """

    name_ = TextColumn("What to send.", name="name", mandatory=True)
    do = TextColumn("What is to become of the row, after it was sent.")
    output = [TextColumn("key", "Its effect key.")]
    effects = Effects.EXTERNAL
    row_seconds = 0.5

    def process(self, row: Row, context: Context) -> Succeeded:
        """Send, then obey."""
        calls.append(f"{row['name']} {context.effect_key}")
        obey(row.do)
        return Succeeded(key=context.effect_key)


class SendAgain(Send):
    """Send rows to the outside, as often as it takes.

    For tests of idempotent external effects.
    """

    name = "send_again"
    idempotent = True


class SendMany(Send):
    """Send four rows at a time, each at most once.

    For tests of groups that must not be repeated.
    """

    name = "send_many"
    number = IntegerColumn("A number, which a column may reject.")
    ordered = False
    concurrency = 4


class SendManyAgain(SendMany):
    """Send four rows at a time, as often as it takes.

    For tests of groups that may be repeated.
    """

    name = "send_many_again"
    idempotent = True


class SendNonsense(Send):
    """Send rows and answer with a cell that the output does not declare.

    For tests of broken actions.
    """

    def process(self, row: Row, context: Context) -> Succeeded:
        """Send, then answer nonsense."""
        calls.append(row["name"])
        return Succeeded(nonsense="x")


class Count(PageAction):
    """Count to ten, three a page.

    For tests of actions without input.
    """

    output = [TextColumn("number", "A number.")]

    def page(self, cursor: Any, context: Context) -> Page:
        """Return three numbers."""
        first = cursor or 1
        last = min(first + 2, 10)
        calls.append(f"page {first}")
        rows = [{"number": str(number)} for number in range(first, last + 1)]
        return Page(rows, cursor=last + 1 if last < 10 else None)


class Circle(PageAction):
    """Return the same page for ever.

    For tests of broken actions.
    """

    output = [TextColumn("number", "A number.")]

    def page(self, cursor: Any, context: Context) -> Page:
        """Return a page whose cursor leads back to it."""
        return Page([{"number": "1"}], cursor=1)


class Broken(PageAction):
    """Fail in the second page.

    For tests of broken actions.
    """

    output = [TextColumn("number", "A number.")]

    def page(self, cursor: Any, context: Context) -> Page:
        """Return one page, then crash, or stop."""
        if cursor == 1:
            obey("crash")
        return Page([{"number": "1"}], cursor=1)


class Slow(PageAction):
    """Take longer for a page than rows may.

    For tests of broken actions.
    """

    output = [TextColumn("number", "A number.")]
    row_seconds = 0.3

    def page(self, cursor: Any, context: Context) -> Page:
        """Sleep, and go on whatever happens."""
        try:
            time.sleep(60)
        except Exception:  # noqa: BLE001 - what a careless plugin does
            time.sleep(60)
        return Page([{"number": "1"}])


class Halting(PageAction):
    """Stop the task in the second page.

    For tests of StopTask.
    """

    output = [TextColumn("number", "A number.")]

    def page(self, cursor: Any, context: Context) -> Page:
        """Return one page, then stop."""
        if cursor == 1:
            obey("stop")
        return Page([{"number": "1"}], cursor=1)


class Undeclared(Check):
    """Answer with a cell that the output does not declare.

    For tests of broken actions.
    """

    def process(self, row: Row, context: Context) -> Succeeded:
        """Answer nonsense."""
        return Succeeded(nonsense="x")


class Forbidden(Check):
    """Refuse to run.

    For tests of permissions.
    """

    def permitted(self, context: Context) -> None:
        """Refuse."""
        raise Refused("task execution is forbidden")


class Finish(Check):
    """Add an account after the last row.

    For tests of `finish`.
    """

    def finish(self, context: Context) -> None:
        """Leave a trace; fail if it is there already."""
        calls.append("finish")
        if Account.objects.filter(name="the finisher").exists():
            raise ValueError("finished twice")
        Account.objects.create(name="the finisher", parent=context.account)


class Trial(Category):
    """Actions for tests.

    Their rows say what is to become of them.
    """

    name = "trial"
    version = "1"
    actions = [
        Check,
        Swell,
        Add,
        AddBatch,
        Spread,
        Send,
        SendAgain,
        SendMany,
        SendManyAgain,
        Count,
        Circle,
        Broken,
        Slow,
        Halting,
        SendNonsense,
        Undeclared,
        Forbidden,
        Finish,
    ]
