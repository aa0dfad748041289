"""Tests that a row fails alone when its action catches a database error and continues."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import pytest
from django.db import Error, IntegrityError, connection, transaction
from django.utils import timezone

from categories.contract import Context, Effects, Outcome, Page, Row, RowFailed, StopTask, Succeeded
from piston.accounts.models import Account
from tasks_app.models import Task, TaskEvent
from tasks_app.models.turn import ActionPace
from tests import engine, plugins
from tests.broker import FakeBroker

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = ["name,do", "n0,", "n1,twice", "n2,"]
SWALLOWED = "SwallowedError: the details are in the log"


@pytest.fixture(autouse=True)
def taken(transactional_db: None) -> None:
    """Let there be a row, whose key is taken then."""
    ActionPace.objects.create(action="taken", free_at=timezone.now())


def add_twice() -> None:
    """Let the database refuse something, as Django's models do it."""
    ActionPace.objects.bulk_create([ActionPace(action="taken", free_at=timezone.now())])


def add_twice_in_sql() -> None:
    """Let the database refuse something, without a word to Django."""
    plugins.execute("INSERT INTO tasks_app_actionpace SELECT * FROM tasks_app_actionpace")


ways = pytest.mark.parametrize(
    "refused", [add_twice, pytest.param(add_twice_in_sql, marks=pytest.mark.postgresql)]
)


def run(broker: FakeBroker, action: str, *lines: str) -> Task:
    task = engine.start(engine.submit(action, *lines))
    broker.deliver_all()
    return engine.fresh(task)


@ways
@pytest.mark.parametrize("do", ["twice", "last"])
def test_a_row_that_swallows_an_error_fails_alone(
    do: str,
    refused: Callable[[], None],
    broker: FakeBroker,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def obey(order: str | None) -> None:
        if order:
            with suppress(Error):
                refused()

    monkeypatch.setattr(plugins, "obey", obey)
    rows = ROWS if do == "twice" else [*ROWS[:2], *ROWS[3:], ROWS[2]]

    task = run(broker, "add", *rows)

    assert (task.status, task.success_count, task.failure_count) == ("partial", 2, 1)
    cells = [row[-1] for row in engine.read(task)]
    assert cells.count(SWALLOWED if do == "last" else cells[2]) == 1
    assert set(Account.objects.filter(name__startswith="n").values_list("name", flat=True)) == {
        "n0",
        "n2",
    }
    assert "Put `transaction.atomic()` around what may fail" in caplog.text


@ways
def test_a_batch_that_swallows_an_error_is_halved(
    refused: Callable[[], None], broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def process_batch(self: Any, rows: Sequence[Row], context: Context) -> list[Outcome]:
        try:
            for row in rows:
                if row.do:
                    refused()
        except IntegrityError:
            return [RowFailed("duplicate")] * len(rows)
        return [Succeeded()] * len(rows)

    monkeypatch.setattr(plugins.AddBatch, "process_batch", process_batch)

    task = run(broker, "add_batch", *ROWS)

    assert (task.status, task.success_count, task.failure_count) == ("partial", 2, 1)
    assert engine.read(task)[2][-1] == SWALLOWED


@ways
def test_what_a_row_says_of_its_refused_statement_is_its_failure(
    refused: Callable[[], None], broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def process(self: Any, row: Row, context: Context) -> Succeeded:
        try:
            if row.do:
                refused()
        except IntegrityError:
            raise RowFailed("duplicate") from None
        return Succeeded()

    monkeypatch.setattr(plugins.Add, "process", process)

    task = run(broker, "add", *ROWS)

    assert [row[-1] for row in engine.read(task)[1:]] == ["", "duplicate", ""]


@pytest.mark.postgresql
def test_so_it_is_when_the_refused_statement_only_reads(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def process(self: Any, row: Row, context: Context) -> Succeeded:
        try:
            plugins.execute(f"SELECT '{'x' if row.do else '1'}'::int")
        except Error:
            raise RowFailed("no number") from None
        return Succeeded()

    monkeypatch.setattr(plugins.Add, "process", process)

    task = run(broker, "add", *ROWS)

    assert [row[-1] for row in engine.read(task)[1:]] == ["", "no number", ""]


@ways
@pytest.mark.parametrize("stops", [False, True])
def test_a_page_that_swallows_an_error_ends_its_task(
    stops: bool,
    refused: Callable[[], None],
    broker: FakeBroker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def page(self: Any, cursor: Any, context: Context) -> Page:
        with suppress(Error):
            refused()
        if stops:
            raise StopTask("enough")
        return Page([{"number": "1"}])

    monkeypatch.setattr(plugins.Count, "page", page)
    monkeypatch.setattr(plugins.Count, "effects", Effects.DATABASE)

    task = run(broker, "count")

    assert (task.status, task.reason) == ("internal_error", f"the action failed: {SWALLOWED}")
    event = TaskEvent.objects.get(task_id=task.pk, kind="broken")
    assert "transaction.atomic()" in event.detail["detail"]


@ways
def test_a_finish_that_swallows_an_error_ends_its_task(
    refused: Callable[[], None], broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def finish(self: Any, context: Context) -> None:
        with suppress(Error):
            refused()

    monkeypatch.setattr(plugins.Finish, "finish", finish)

    task = run(broker, "finish", "name,do", "n0,")

    assert (task.status, task.success_count) == ("internal_error", 1)
    assert task.reason == f"the action could not finish: {SWALLOWED}"


def test_around_what_may_fail_a_transaction_helps(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def obey(order: str | None) -> None:
        with suppress(Error), transaction.atomic():
            add_twice()

    monkeypatch.setattr(plugins, "obey", obey)

    task = run(broker, "add", *ROWS)

    assert (task.status, task.success_count) == ("success", 3)


@pytest.mark.postgresql
@pytest.mark.parametrize(("action", "failures"), [("check", 1), ("send", 0)])
def test_a_transaction_that_an_action_leaves_open_is_given_up(
    action: str, failures: int, broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def obey(order: str | None) -> None:
        if order:
            plugins.execute("BEGIN")
            with suppress(Error):
                add_twice_in_sql()

    monkeypatch.setattr(plugins, "obey", obey)

    task = run(broker, action, *ROWS)

    assert (task.success_count, task.failure_count) == (3 - failures, failures)
    assert task.indeterminate_count == 0


@pytest.mark.postgresql
def test_a_lost_connection_that_an_action_swallows_fails_no_row(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = ["once"]

    def obey(order: str | None) -> None:
        if order and left:
            left.clear()
            with suppress(Error):
                plugins.execute("SELECT pg_terminate_backend(pg_backend_pid())")
                add_twice()

    monkeypatch.setattr(plugins, "obey", obey)

    task = run(broker, "add", *ROWS)

    assert task.failure_count == 0
    assert task.segments.get().claimed_until is None
    assert connection.in_atomic_block is False
