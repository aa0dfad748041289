"""Does the crash kit notice what no transaction undoes, and workers that survive their death?"""

import tempfile
from pathlib import Path

import pytest
from django.db import connections, transaction
from django.db.utils import load_backend

from categories.contract import Context, Effects, Outcome, Row, RowFailed, Succeeded
from piston.accounts.models import Account
from tests.integration.categories.testing.crash_kit.words import ROWS, Store, catching, survive

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
