"""Tests that a version goes on with tasks of the older versions that it names, and no others."""

from __future__ import annotations

from typing import Any

import pytest

from categories.columns import TextColumn
from categories.contract import Context, Page, Row, Succeeded
from piston.database.schema import schema
from tasks_app import lifecycle
from tasks_app.execution import batches, claiming, compatibility
from tasks_app.models import Part, Task
from tests import engine, plugins
from tests.broker import FakeBroker
from tests.integration.tasks_app.execution.test_compatibility import worker_with

pytestmark = pytest.mark.django_db(transaction=True)
ROWS = ["name,do", "one,", "two,"]


class CheckMore(plugins.Check):
    """Say more about a row, and no longer what the first version said."""

    name = "check"
    output = [TextColumn("more", "What is new."), TextColumn("seen", "What was seen.")]

    def process(self, row: Row, context: Context) -> Succeeded:
        return Succeeded(more="more", seen=f"{row['name']} again")


class Next(plugins.Trial):
    """The version that goes on with the first one's tasks."""

    version = "2"
    continues = ("0", "1")
    actions = [CheckMore, *plugins.Trial.actions[1:]]


class CheckLonger(plugins.Check):
    """Say more about a row, behind what the first version said."""

    name = "check"
    output = [*plugins.Check.output, TextColumn("more", "What is new.")]

    def process(self, row: Row, context: Context) -> Succeeded:
        return Succeeded(seen=f"{row['name']} again", more="more")


class CountLonger(plugins.Count):
    """Say more about a number, behind what the first version said."""

    name = "count"
    output = [*plugins.Count.output, TextColumn("more", "What is new.")]

    def page(self, cursor: Any, context: Context) -> Page:
        page = super().page(cursor, context)
        return Page([{**row, "more": "more"} for row in page.rows], page.cursor)


class Longer(Next):
    """A version that goes on with the first one's tasks, and appends columns."""

    actions = [CheckLonger, CountLonger]


class Abrupt(Next):
    """A version that does not."""

    version = "3"
    continues = ()


@pytest.fixture(autouse=True)
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compatibility, "_handovers", {})
    monkeypatch.setattr(schema, "_looked_at", float("inf"))


def run_first_page() -> Task:
    """Run the first page of a task under version 1."""
    task = engine.start(engine.submit("count"))
    with engine.claimed("first") as run:
        batches.run_next_batch(run)
        run.segment.release()
    return task


def test_a_newer_version_goes_on_with_a_running_task(broker: FakeBroker) -> None:
    task = run_first_page()

    with worker_with(Next):
        broker.deliver_all()

    task = engine.fresh(task)
    assert (task.status, task.category_version) == ("success", "2")
    assert engine.read(task)[1:] == [[str(number)] for number in range(1, 11)]


def test_what_a_newer_version_has_gone_on_with_is_not_for_the_older_one(
    broker: FakeBroker,
) -> None:
    task = run_first_page()
    with worker_with(Next), engine.claimed("second") as run:
        batches.run_next_batch(run)
        run.segment.release()

    claimed = claiming.claim_next("third", 20)
    broker.deliver_all(most=5)

    assert claimed is None
    assert engine.fresh(task).status == "executing"


def test_a_pending_task_of_a_version_that_is_gone_on_with_is_started(broker: FakeBroker) -> None:
    task = engine.submit("check", *ROWS)

    with worker_with(Next):
        engine.start(task)
        broker.deliver_all()

    assert engine.fresh(task).status == "success"


def test_a_task_of_a_newer_version_is_not_for_the_older_one(broker: FakeBroker) -> None:
    with worker_with(Next):
        task = engine.start(engine.submit("check", *ROWS))

    broker.deliver_all(most=5)

    assert engine.fresh(task).served_at is None
    assert engine.fresh(task).unfit_since is not None


def test_a_version_that_names_no_older_one_goes_on_with_none(broker: FakeBroker) -> None:
    task = engine.start(engine.submit("check", *ROWS))

    with worker_with(Abrupt):
        broker.deliver_all(most=5)

    assert engine.fresh(task).served_at is None


def test_the_output_keeps_the_columns_with_which_the_task_was_created(broker: FakeBroker) -> None:
    task = engine.start(engine.submit("check", *ROWS, "three,fail"))

    with worker_with(Next):
        broker.deliver_all()

    assert engine.read(task) == [
        ["name", "do", "seen", "error"],
        ["one", "", "one again", ""],
        ["two", "", "two again", ""],
        ["three", "fail", "three again", ""],
    ]


@pytest.mark.parametrize(
    ("header", "old_line", "new_line"),
    [
        (["name", "do", "seen", "error"], ["one", "", "ONE", ""], ["two", "", "two again", ""]),
        (["name", "seen", "error"], ["one", "ONE", ""], ["two", "two again", ""]),
    ],
)
def test_rows_of_an_older_release_keep_their_width(
    header: list[str],
    old_line: list[str],
    new_line: list[str],
    broker: FakeBroker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """That release did not keep the names of the columns."""
    monkeypatch.setattr(batches, "choose_size", lambda _run: 1)
    names = [name for name in header if name in {"name", "do"}]
    rows = [",".join([name, *[""] * (len(names) - 1)]) for name in ("one", "two")]
    task = engine.start(engine.submit("check", ",".join(names), *rows))
    with engine.claimed("first") as run:
        batches.run_next_batch(run)
        run.segment.release()
    Task.objects.filter(pk=task.pk).update(output_columns=None)

    with worker_with(Longer):
        broker.deliver_all()
        lines = engine.read(engine.fresh(task))

    assert lines == [header, old_line, new_line]


def test_pages_of_an_older_release_keep_their_width(broker: FakeBroker) -> None:
    """That release wrote the column `error`, too."""
    task = run_first_page()
    older = b"1,\n2,\n3,\n"
    Part.objects.filter(task=task).update(output=older, output_bytes=len(older))
    Task.objects.filter(pk=task.pk).update(output_columns=None)

    with worker_with(Longer):
        broker.deliver_all()
        lines = engine.read(engine.fresh(task))

    assert lines == [["number", "error"], *([str(number), ""] for number in range(1, 11))]


def test_rows_of_an_older_version_are_assembled_under_their_own_header(broker: FakeBroker) -> None:
    task = engine.start(engine.submit("check", *ROWS))
    with engine.claimed("first") as run:
        batches.run_next_batch(run)
    lifecycle.stop(task, engine.TESTER)

    with worker_with(Abrupt):
        broker.deliver_all()
        lines = engine.read(task)

    assert engine.fresh(task).is_assembled
    assert lines == [
        ["name", "do", "seen", "error"], ["one", "", "ONE", ""], ["two", "", "TWO", ""],
    ]  # fmt: skip
