"""Does the crash kit detect effects outside the transaction, and workers that survive death?"""

import socket
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.db import Error, connections, transaction
from django.db.utils import load_backend
from django.utils import timezone

from categories.contract import Context, Effects, Outcome, Page, Row, RowFailed, Succeeded
from categories.models import PeriodicRun
from piston.accounts.models import Account
from tests.integration.categories.testing.crash_kit.words import (
    ROWS,
    List,
    Store,
    catching,
    list_all,
    survive,
)

pytestmark = pytest.mark.django_db


def test_a_file_is_noticed(tmp_path: Path) -> None:
    class Logs(Store):
        """Store words and write them down."""

        def process(self, row: Row, context: Context) -> Outcome:
            with (tmp_path / "log").open("a") as file:
                file.write(row.word)
            return super().process(row, context)

    with catching("Logs: In the batch of rows 1 to 3 it changed the file", "log", "not undo"):
        survive(Logs)


def test_a_temporary_file_is_nobody_elses_affair(tmp_path: Path) -> None:

    class Scratches(Store):
        """Store words with scratch paper."""

        def process(self, row: Row, context: Context) -> Outcome:
            with tempfile.NamedTemporaryFile(), tempfile.TemporaryFile():
                return super().process(row, context)

    assert survive(Scratches, ROWS[:2]) > 20


@pytest.mark.parametrize("effects", [Effects.NONE, Effects.DATABASE])
def test_a_call_to_the_outside_is_noticed_whatever_it_answers(effects: Effects) -> None:
    class Tells(Store):
        """Tell somebody, who is not there."""

        def process(self, row: Row, context: Context) -> Outcome:
            with suppress(OSError), socket.create_connection(("127.0.0.1", 1)):
                pass
            return Succeeded(said=row.word)

    Tells.effects = effects

    with catching("Tells: In the batch of rows 1 to 3 it ", "127.0.0.1", "Effects.EXTERNAL"):
        survive(Tells)


@pytest.mark.parametrize("method", ["permitted", "finish"])
def test_a_call_before_or_after_the_rows_is_noticed(method: str) -> None:
    def look(*_: Any) -> None:
        socket.getaddrinfo("localhost", 80)

    bad = type("Looks", (Store,), {"__doc__": "Look.", method: look})

    with catching(f"Looks: In {method} it looked up the host localhost"):
        survive(bad)


def test_a_page_that_calls_the_outside_is_noticed() -> None:
    class Reads(List):
        """List words from elsewhere."""

        def page(self, cursor: Any, context: Context) -> Page:
            subprocess.run(["true"], check=True)
            return super().page(cursor, context)

    with catching("Reads: In the page at None it started the program true"):
        list_all(Reads)


def test_a_statement_over_another_connection_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = load_backend("django.db.backends.sqlite3")
    in_memory = {**connections.settings["default"], "NAME": ":memory:", "OPTIONS": {}}
    other = backend.DatabaseWrapper(in_memory, alias="other")
    other.connect()
    monkeypatch.setitem(connections.settings, "other", in_memory)
    monkeypatch.setattr(connections._connections, "other", other, raising=False)  # type: ignore[attr-defined]

    class Elsewhere(Store):
        """Store words in a table of another database."""

        def process(self, row: Row, context: Context) -> Outcome:
            with other.cursor() as cursor:
                cursor.execute("CREATE TABLE elsewhere (word text)")
            return Succeeded()

    with catching("Elsewhere: In", "over the connection 'other' (CREATE TABLE", "transaction"):
        survive(Elsewhere)


def test_something_for_after_the_commit_is_noticed() -> None:
    class Later(Store):
        """Store words and tell somebody afterwards."""

        def process(self, row: Row, context: Context) -> Outcome:
            transaction.on_commit(lambda: None)
            return super().process(row, context)

    with catching("Later: In", "on_commit", "never does it"):
        survive(Later)


def test_a_permission_that_writes_is_noticed() -> None:
    class Registers(Store):
        """Store words, and who asked."""

        def permitted(self, context: Context) -> None:
            Account.objects.create(name="asked", created_at=context.now())

    with catching("Registers: In permitted it wrote", "INSERT INTO", "asked again"):
        survive(Registers)


def test_a_reader_that_writes_is_noticed() -> None:
    class Reads(Store):
        """Store words although it says that it only reads."""

        effects = Effects.NONE

    with catching("Reads: In", "wrote to the database", "Effects.NONE"):
        survive(Reads)


@pytest.mark.parametrize("swallow", [RowFailed("no"), None])
def test_swallowing_the_death_is_noticed(swallow: RowFailed | None) -> None:
    class Swallows(Store):
        """Store words whatever happens."""

        def process(self, row: Row, context: Context) -> Outcome:
            try:
                return super().process(row, context)
            except BaseException:  # noqa: BLE001 - the planted bug
                if swallow:
                    raise swallow from None
                return Succeeded()

    with catching(
        "The worker died within", "before SAVEPOINT", "the action went on", "BaseException"
    ):
        survive(Swallows)


def test_swallowing_is_noticed_although_the_next_row_dies_again() -> None:
    class SwallowsOnce(Store):
        """Store words, the first one whatever happens."""

        def process(self, row: Row, context: Context) -> Outcome:
            try:
                return super().process(row, context)
            except BaseException:
                if row.word == "a":
                    return Succeeded()
                raise

    with catching("The worker died within the batch of rows 1 to 2,", "the action went on"):
        survive(SwallowsOnce, [{"word": "a"}, {"word": "b"}])


def refuse() -> None:
    """Let the database refuse something."""
    due = timezone.now()
    PeriodicRun.objects.bulk_create([PeriodicRun(category="a", job="a", last_due_at=due)] * 2)


@pytest.mark.parametrize("word", ["a", "c"])
def test_a_row_that_swallows_an_error_of_the_database_is_noticed(word: str) -> None:
    class Swallows(Store):
        """Store words, and something else that is refused."""

        def process(self, row: Row, context: Context) -> Outcome:
            outcome = super().process(row, context)
            if row.word == word:
                with suppress(Error):
                    refuse()
            return outcome

    with catching("In ", "row", "Put `transaction.atomic()` around what may fail"):
        survive(Swallows, [{"word": each} for each in "abc"])


def test_a_batch_that_swallows_an_error_of_the_database_is_noticed() -> None:
    class Swallows(Store):
        """Store words at once, and say that all failed."""

        def process_batch(self, rows: Sequence[Row], context: Context) -> Sequence[Outcome]:
            try:
                refuse()
            except Error:
                return [RowFailed("duplicate")] * len(rows)
            return [Succeeded()] * len(rows)

    with catching("In the batch of rows 1 to 3: ", "Put `transaction.atomic()`"):
        survive(Swallows)


def test_pages_and_the_finish_that_swallow_an_error_of_the_database_are_noticed() -> None:
    class Swallows(List):
        """List words."""

        effects = Effects.DATABASE

        def page(self, cursor: Any, context: Context) -> Page:
            with suppress(Error):
                refuse()
            return super().page(cursor, context)

    class SwallowsAtLast(Store):
        """Store words."""

        def finish(self, context: Context) -> None:
            with suppress(Error):
                refuse()

    with catching("In the page at None: ", "Put `transaction.atomic()`"):
        list_all(Swallows)
    with catching("In finish: ", "Put `transaction.atomic()`"):
        survive(SwallowsAtLast)


def test_an_error_of_the_database_may_be_caught_around_a_transaction() -> None:
    class Tries(Store):
        """Store words, and something else if it can be."""

        def process(self, row: Row, context: Context) -> Outcome:
            with suppress(Error), transaction.atomic():
                refuse()
            return super().process(row, context)

    assert survive(Tries, ROWS[:2]) > 20


def test_a_refused_row_may_say_so() -> None:
    class Refuses(Store):
        """Store words, or say that they cannot be."""

        def process(self, row: Row, context: Context) -> Outcome:
            if row.word == "b":
                try:
                    refuse()
                except Error:
                    raise RowFailed("refused") from None
            return super().process(row, context)

    assert survive(Refuses, ROWS[:2]) > 20
