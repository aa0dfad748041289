"""Does a process wait, and log the reason, if the schema does not fit its code?"""

from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest
from celery.exceptions import Reject
from django.db import OperationalError, ProgrammingError

from piston.celery.foreign_messages import Message
from piston.database import schema
from piston.database.schema import Schema, SchemaDiffers

KNOWN = frozenset({("tasks_app", "0001_tasks"), ("tasks_app", "0002_more")})
OLDER = frozenset({("tasks_app", "0001_tasks")})
NEWER = KNOWN | {("tasks_app", "0003_future")}


class Database:
    """The migrations that the database has applied, and the number of queries for them."""

    def __init__(self, *answers: frozenset[tuple[str, str]] | Exception) -> None:
        self.answers = list(answers)
        self.asked = 0

    def read(self, _known: object) -> frozenset[tuple[str, str]]:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def rests(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    rests: list[float] = []
    monkeypatch.setattr(schema.time, "sleep", rests.append)
    monkeypatch.setattr(schema.connection, "close", lambda: None)
    return rests


def of(monkeypatch: pytest.MonkeyPatch, database: Database) -> Schema:
    """Return the `Schema` of a process with such a database."""
    monkeypatch.setattr(schema, "read_applied", database.read)
    monkeypatch.setattr(schema.connection, "close_if_unusable_or_obsolete", lambda: None)
    mine = Schema()
    mine.known = KNOWN
    return mine


@pytest.mark.parametrize(
    ("applied", "said"),
    [
        (KNOWN, ""),
        (OLDER, "it lacks tasks_app.0002_more. Run `manage.py migrate`"),
        (frozenset(), "it lacks tasks_app.0001_tasks, tasks_app.0002_more."),
        (frozenset(), "None is there. Unless the installation is new, see first"),
        (NEWER, "older than the database, which has tasks_app.0003_future. Start this process"),
    ],
)
def test_a_difference_is_reported_with_its_remedy(
    applied: frozenset[tuple[str, str]], said: str
) -> None:
    assert said in (schema.describe(KNOWN, applied) or "")
    assert bool(said) == bool(schema.describe(KNOWN, applied))


def test_the_database_is_asked_every_few_seconds_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database(KNOWN)
    mine = of(monkeypatch, database)

    answers = [mine.find_problem() for _ in range(1_000)]

    assert (answers, database.asked) == ([None] * 1_000, 1)


def test_the_last_answer_holds_while_the_database_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = of(monkeypatch, Database(NEWER, OperationalError("away")))

    answers = []
    for _ in range(2):
        answers.append(mine.find_problem())
        mine.look_again()

    assert answers[0] == answers[1] != None  # noqa: E711 - one and the same sentence


def test_a_process_that_may_not_read_the_migrations_takes_no_work_and_names_the_grant(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    denied = ProgrammingError("permission denied")
    denied.__cause__ = psycopg.errors.InsufficientPrivilege("permission denied")
    mine = of(monkeypatch, Database(denied, KNOWN))

    assert not mine.fits()

    assert "InsufficientPrivilege, SQLSTATE 42501" in caplog.text
    assert "GRANT SELECT ON django_migrations TO" in caplog.text
    mine.look_again()
    assert mine.fits()


def test_who_cannot_read_it_for_another_reason_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = of(monkeypatch, Database(ProgrammingError("something")))

    problem = mine.find_problem() or ""

    assert "(ProgrammingError)" in problem
    assert "GRANT" not in problem


def test_it_is_said_loudly_and_once_a_minute(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    mine = of(monkeypatch, Database(OLDER))

    assert not any(mine.fits() for _ in range(3))

    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert "Run `manage.py migrate`" in record.message


def test_a_message_waits_until_the_schema_fits(
    monkeypatch: pytest.MonkeyPatch, rests: list[float]
) -> None:
    monkeypatch.setattr(schema, "schema", of(monkeypatch, Database(OLDER, OLDER, KNOWN)))
    monkeypatch.setattr("piston.celery.foreign_messages.schema", schema.schema)

    Message().before_start("an id", (), {})

    assert rests == [schema.REST_SECONDS] * 2


def test_a_message_that_waits_for_long_goes_back_to_the_broker(
    monkeypatch: pytest.MonkeyPatch, rests: list[float]
) -> None:
    monkeypatch.setattr(schema, "MAX_WAIT_SECONDS", 0)
    mine = of(monkeypatch, Database(NEWER))

    with pytest.raises(Reject) as rejected:
        mine.wait()

    assert rejected.value.requeue


def test_work_is_refused_while_it_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = of(monkeypatch, Database(OLDER))

    with pytest.raises(SchemaDiffers):
        mine.require()


@pytest.mark.parametrize(
    ("applied", "said"), [(NEWER, None), (KNOWN, None), (frozenset(), "it lacks tasks_app.0001")]
)
def test_a_plugin_lacks_only_what_its_code_has(
    applied: frozenset[tuple[str, str]], said: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = of(monkeypatch, Database(applied))
    mine.is_of_plugin = True

    problem = mine.find_problem()

    assert problem == said or (said and said in (problem or ""))
    assert "None is there" not in (problem or "")


def test_only_what_django_takes_for_a_migration_is_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("0001_first.py", "_words.py", "__init__.py", "more/__init__.py"):
        path = tmp_path / "migrated_words" / "migrations" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "bare_words").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    mine = Schema()

    mine.remember(
        SimpleNamespace(label="words", name=name, models_module=True)  # type: ignore[misc]
        for name in ("migrated_words", "bare_words")
    )

    assert mine.known == {("words", "0001_first")}
