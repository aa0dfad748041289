"""Tests that a started task runs to its end, whatever its rows do."""

from collections.abc import Sequence
from typing import Any

import pytest
from django.db import OperationalError, connection

from categories import registry
from categories.contract import Context, Page, Row, RowFailed, Succeeded
from categories.errors import BrokenCategory
from piston.accounts.models import Account
from tasks_app import lifecycle
from tasks_app.errors import ClaimLost, StorageUnavailable
from tasks_app.execution import batches, worker
from tasks_app.models import Part, Segment, Task, TaskEvent
from tasks_app.models.clock import database_time
from tasks_app.upkeep import sweeping
from tests import engine, plugins
from tests.broker import FakeBroker

pytestmark = pytest.mark.django_db(transaction=True)


def names(*outcomes: str) -> list[str]:
    return ["name,do", *(f"n{index},{outcome}" for index, outcome in enumerate(outcomes))]


def run(action: str, *lines: str, broker: FakeBroker) -> Task:
    task = engine.start(engine.submit(action, *lines))
    broker.deliver_all()
    return engine.fresh(task)


def test_a_task_reads_its_rows_and_writes_one_line_each_in_order(broker: FakeBroker) -> None:
    task = run("check", *names("", "", ""), broker=broker)

    assert (task.status, task.success_count, task.failure_count) == ("success", 3, 0)
    assert engine.read(task) == [
        ["name", "do", "seen", "error"],
        ["n0", "", "N0", ""],
        ["n1", "", "N1", ""],
        ["n2", "", "N2", ""],
    ]


def test_input_columns_come_back_byte_for_byte(broker: FakeBroker) -> None:
    task = run("check", "do,name", ',"a, ""b"" c"', ", d ", broker=broker)

    content = b"".join(engine.task_files.open_file(task, "out.csv").read())
    assert content == (b'do,name,seen,error\n,"a, ""b"" c","A, ""B"" C",\n, d , D ,\n')


def test_failed_rows_are_counted_and_go_to_failed_csv_in_input_format(broker: FakeBroker) -> None:
    task = run("check", *names("", "fail", ""), broker=broker)

    assert (task.status, task.success_count, task.failure_count) == ("partial", 2, 1)
    assert engine.read(task, "failed.csv") == [["name", "do"], ["n1", "fail"]]
    assert engine.read(task)[2] == ["n1", "fail", "", "told to fail"]


def test_an_action_takes_back_the_file_that_it_wrote(broker: FakeBroker) -> None:
    first = run("check", *names("", "fail", ""), broker=broker)
    written = b"".join(engine.task_files.open_file(first, "out.csv").read()).decode()

    again = run("check", *written.replace("n0,", '"n,0",').splitlines(), broker=broker)

    assert (again.status, again.success_count, again.failure_count) == ("partial", 2, 1)
    assert engine.read(again) == [
        ["name", "do", "seen", "error"],
        ["n,0", "", "N,0", ""],
        ["n1", "fail", "", "told to fail"],
        ["n2", "", "N2", ""],
    ]
    assert engine.read(again, "failed.csv") == [
        ["name", "do", "seen", "error"],
        ["n1", "fail", "", "told to fail"],
    ]


def test_a_task_of_an_older_release_keeps_the_error_column_of_its_pages(
    broker: FakeBroker,
) -> None:
    task = engine.start(engine.submit("count"))
    with engine.claimed("m") as run:
        batches.run_next_batch(run)
        run.segment.release()
    older = b"1,\n2,\n3,\n"
    Part.objects.filter(task=task).update(output=older, output_bytes=len(older))
    Task.objects.filter(pk=task.pk).update(output_columns=None)

    broker.deliver_all()

    lines = engine.read(engine.fresh(task))
    assert lines == [["number", "error"], *([str(number), ""] for number in range(1, 11))]


@pytest.mark.parametrize("action", ["add", "add_batch"])
def test_exactly_the_row_that_crashes_fails_and_leaves_nothing_behind(
    action: str, broker: FakeBroker
) -> None:
    task = run(action, *names("", "", "crash", "", "fail", ""), broker=broker)

    assert (task.success_count, task.failure_count) == (4, 2)
    assert [row[-1] for row in engine.read(task)[1:]] == [
        "", "", "ZeroDivisionError: told to crash", "", "told to fail", "",
    ]  # fmt: skip
    added = Account.objects.filter(name__startswith="n").values_list("name", flat=True)
    assert sorted(added) == ["n0", "n1", "n3", "n5"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("done", "TypeError: the action answered with str, which is no outcome"),
        (False, "TypeError: the action answered with bool, which is no outcome"),
        (RowFailed("refused"), "refused"),
    ],
)
def test_what_a_row_wrote_is_undone_when_its_answer_is_no_success(
    answer: Any, error: str, broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def process(self: Any, row: Row, context: Context) -> Any:
        Account.objects.create(name=row.name, created_at=context.now())
        return answer if row.do else Succeeded()

    monkeypatch.setattr(plugins.Add, "process", process)

    task = run("add", *names("", "answer", ""), broker=broker)

    assert [row[-1] for row in engine.read(task)[1:]] == ["", error, ""]
    added = Account.objects.filter(name__startswith="n").values_list("name", flat=True)
    assert sorted(added) == ["n0", "n2"]


def test_a_batch_with_an_answer_that_is_no_outcome_is_halved(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def process_batch(self: Any, rows: Sequence[Row], context: Context) -> list[Any]:
        for row in rows:
            Account.objects.create(name=row.name, created_at=context.now())
        return [None if row.do else Succeeded() for row in rows]

    monkeypatch.setattr(plugins.AddBatch, "process_batch", process_batch)

    task = run("add_batch", *names("", "answer", ""), broker=broker)

    assert engine.read(task)[2][-1].endswith("answered with NoneType, which is no outcome")
    added = Account.objects.filter(name__startswith="n").values_list("name", flat=True)
    assert sorted(added) == ["n0", "n2"]


def test_exactly_the_row_with_a_dangling_foreign_key_fails(broker: FakeBroker) -> None:
    task = run("add", *names("", "orphan", "", ""), broker=broker)

    assert (task.success_count, task.failure_count) == (3, 1)
    assert engine.read(task)[2][-1].startswith("IntegrityError")
    assert not Account.objects.filter(name__in=["orphan", "n1"]).exists()


@pytest.mark.parametrize(
    ("action", "lines", "reason"),
    [
        ("slow", [], "the action failed: its page timed out after 0.3 s"),
        ("circle", [], "the action failed: its cursor stays at 1"),
        ("broken", [], "the action failed: ZeroDivisionError: told to crash"),
        ("undeclared", names("", ""), "the action failed: UndeclaredOutput: Undeclared returned"),
    ],
)
def test_a_broken_action_ends_its_task_with_the_reason(
    action: str, lines: list[str], reason: str, broker: FakeBroker
) -> None:
    task = run(action, *lines, broker=broker)

    assert task.status == "internal_error"
    assert task.reason.startswith(reason)
    assert len(engine.read(task)) == 1 + task.success_count


def test_what_broke_an_action_is_told_to_staff_and_not_to_the_tenant(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def page(*_: object) -> Page:
        raise FileNotFoundError(2, "No such file or directory", "/srv/piston/secret.txt")

    monkeypatch.setattr(plugins.Broken, "page", page)

    task = run("broken", broker=broker)

    assert task.reason == "the action failed: FileNotFoundError: the details are in the log"
    event = TaskEvent.objects.get(task_id=task.pk, kind="broken")
    assert "/srv/piston/secret.txt" in event.detail["detail"]


def test_a_category_that_cannot_be_loaded_does_not_say_where_its_code_is(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def get_action(*_: object, **__: object) -> None:
        raise BrokenCategory("trial", [], "ImportError: no (/srv/piston/plugins/trial.py:7)")

    task = engine.start(engine.submit("check", *names("")))
    monkeypatch.setattr(registry, "get_action", get_action)

    broker.deliver_all()
    assert engine.fresh(task).status == "executing"  # another worker may be able to use it
    Task.objects.update(unfit_since=database_time(-100_000))
    sweeping.end_unfit(engine.fresh(task))

    assert engine.fresh(task).reason == "the category 'trial' cannot be used"
    event = TaskEvent.objects.get(task_id=task.pk, kind="broken")
    assert "/srv/piston/plugins/trial.py:7" in event.detail["detail"]


@pytest.mark.parametrize("trouble", [StorageUnavailable("away"), OperationalError("deadlock")])
def test_an_error_that_no_row_caused_only_delays_a_task(
    trouble: Exception, broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise trouble

    task = engine.start(engine.submit("check", *names("", "", "")))
    with monkeypatch.context() as outage:
        outage.setattr(batches, "run_next_batch", away)
        for _ in range(worker.MAX_IDLE_CLAIMS + 5):
            broker.deliver_all()
            Task.objects.exclude(dispatched_at=None).update(dispatched_at=database_time(-60))
            sweeping.sweep()

    broker.deliver_all()

    assert engine.fresh(task).success_count == 3
    assert not TaskEvent.objects.filter(kind="row_blamed").exists()


def test_an_action_without_input_can_stop_its_task(broker: FakeBroker) -> None:
    task = run("halting", broker=broker)

    assert (task.status, task.reason, task.success_count) == ("partial", "told to stop", 1)


def test_a_row_that_takes_too_long_fails_alone(broker: FakeBroker) -> None:
    task = run("add", *names("", "sleep", ""), broker=broker)

    assert (task.success_count, task.failure_count) == (2, 1)
    assert "timed out" in engine.read(task)[2][-1]
    assert sorted(Account.objects.filter(name__startswith="n").values_list("name", flat=True)) == [
        "n0",
        "n2",
    ]


def test_an_action_can_cut_its_task_short(broker: FakeBroker) -> None:
    task = run("check", *names("", "stop", "", ""), broker=broker)

    assert (task.status, task.reason) == ("partial", "told to stop")
    assert (task.success_count, task.failure_count) == (1, 1)
    assert engine.read(task, "unprocessed.csv") == [["name", "do"], ["n2", ""], ["n3", ""]]


def test_a_refused_task_fails_with_the_reason_and_all_rows_unprocessed(broker: FakeBroker) -> None:
    task = run("forbidden", *names("", ""), broker=broker)

    assert (task.status, task.reason) == ("failure", "task execution is forbidden")
    assert len(engine.read(task, "unprocessed.csv")) == 3
    assert plugins.calls == []


def test_pages_without_input_are_counted_as_rows(broker: FakeBroker) -> None:
    task = run("count", broker=broker)

    assert (task.status, task.total_count, task.success_count) == ("success", None, 10)
    assert [row[0] for row in engine.read(task)[1:]] == [str(n) for n in range(1, 11)]


def test_finish_runs_once_after_the_last_row(broker: FakeBroker) -> None:
    task = run("finish", *names("", ""), broker=broker)

    assert task.status == "success"
    assert plugins.calls == ["n0", "n1", "finish"]


def test_a_parallel_task_has_segments_and_its_output_is_in_input_order(broker: FakeBroker) -> None:
    lines = ["name,do", *(f"n{index}," for index in range(1000))]
    task = engine.start(engine.submit("spread", *lines))

    broker.deliver_all()

    assert task.segments.count() > 1
    assert [row[0] for row in engine.read(task)[1:]] == [f"n{index}" for index in range(1000)]


def test_a_worker_whose_claim_was_overtaken_commits_nothing(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = engine.start(engine.submit("add", *names("", "")))
    with engine.claimed("one") as paused:
        Segment.objects.update(claimed_until=database_time(-1))
        with engine.claimed("two"), pytest.raises(ClaimLost):
            batches.run_next_batch(paused)

    assert not Part.objects.filter(task=task).exists()
    assert not Account.objects.filter(name="n0").exists()
    engine.assert_balanced(task)


def test_a_stop_ends_the_task_at_once_and_a_batch_under_way_commits_nothing(
    broker: FakeBroker,
) -> None:
    task = engine.start(engine.submit("add", *names("", "")))
    with engine.claimed("one") as working:
        lifecycle.stop(task, engine.TESTER)
        with pytest.raises(ClaimLost):
            batches.run_next_batch(working)

    assert engine.fresh(task).status == "stopped"
    assert not Account.objects.filter(name="n0").exists()
    assert engine.read(task) == [["name", "do", "seen", "error"]]
    assert len(engine.read(task, "unprocessed.csv")) == 3
    broker.deliver_all()
    assert engine.fresh(task).is_assembled
    assert engine.read(task) == [["name", "do", "seen", "error"]]


def test_a_copy_of_a_message_changes_nothing(broker: FakeBroker) -> None:
    task = engine.start(engine.submit("check", *names("", "")))
    broker.queue *= 3

    broker.deliver_all()

    assert engine.fresh(task).success_count == 2
    assert plugins.calls == ["n0", "n1"]


def test_a_task_whose_message_was_lost_is_woken_by_the_sweeper(broker: FakeBroker) -> None:
    task = engine.start(engine.submit("check", *names("", "")))
    broker.queue.clear()
    Task.objects.filter(pk=task.pk).update(dispatched_at=database_time(-60))

    sweeping.sweep()
    broker.deliver_all()

    assert engine.fresh(task).status == "success"


def test_reading_many_rows_does_not_keep_connections_or_transactions_open(
    broker: FakeBroker,
) -> None:
    run("check", *names(*[""] * 50), broker=broker)

    assert not connection.in_atomic_block


def test_an_action_that_denies_with_false_runs_no_row(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugins.Check, "permitted", lambda self, context: False)

    task = run("check", *names("", ""), broker=broker)

    assert (task.status, task.success_count) == ("internal_error", 0)
    assert "raise Refused(reason)" in task.reason
