"""Does a task that ended `internal_error` continue where it ended?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from django.core.files.storage import default_storage

from piston.accounts.models import Account
from tasks_app import lifecycle, quotas
from tasks_app.errors import (
    CannotBeRetried,
    ClaimLost,
    StorageUnavailable,
    StoredFileMissing,
    TaskDoesNotFit,
    TaskHasNotEnded,
    TaskNotFound,
)
from tasks_app.execution import assembly, batches, claiming, ending, worker
from tasks_app.execution.runs import Run
from tasks_app.files import task_files
from tasks_app.models import AccountUsage, Part, Segment, Task, TaskCSV, TaskEvent
from tasks_app.models.clock import database_time
from tasks_app.upkeep import sweeping
from tests import engine, plugins
from tests import settling as rows
from tests.broker import FakeBroker
from tests.factories import TaskFactory

pytestmark = pytest.mark.django_db(transaction=True)
NAMES = [f"n{number}" for number in range(12)]
LINES = [f"{name},{'fail' if name == 'n1' else ''}" for name in NAMES]


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "next_size", lambda *_: 3)


def path_of(task: Task) -> Path:
    return Path(default_storage.path(TaskCSV.objects.get(task=task, name="in.csv").key))


def broken(broker: FakeBroker, action: str = "add", *lines: str, done: int = 6) -> Task:
    """Return a task that ended `internal_error` after this many rows; its input is unchanged."""
    task = engine.start(engine.submit(action, "name,do", *(lines or LINES)))
    task.segments.update(batch_size=3)
    with taken_away(path_of(task), after=done):
        broker.deliver_all()
    task = engine.fresh(task)
    assert task.status == "internal_error"
    return task


@contextmanager
def taken_away(path: Path, *, after: int) -> Iterator[None]:
    """Hide a file once this many rows of its task are done, and restore it at the end."""
    kept = path.with_suffix(".kept")
    run_next_batch = batches.run_next_batch

    def run_one(run: batches.Run) -> bool:
        task = engine.fresh(run.task)
        if task.success_count + task.failure_count >= after and path.exists():
            path.rename(kept)
            run.close()  # as when a slice ends here
        return run_next_batch(run)

    batches.run_next_batch = run_one
    try:
        yield
    finally:
        batches.run_next_batch = run_next_batch
        if kept.exists():
            kept.rename(path)


def break_down(task: Task) -> None:
    """End the task with a fault that does not concern its input."""
    ending.end_as_broken(task.segments.all()[0], "something broke it", "something")
    assembly.assemble(task.pk)


def retry(task: Task, broker: FakeBroker) -> Task:
    """Retry the task, and let workers finish it."""
    lifecycle.retry(engine.fresh(task), engine.TESTER)
    broker.deliver_all()
    return engine.fresh(task)


def kinds(task: Task) -> list[str]:
    return list(TaskEvent.objects.filter(task_id=task.pk).values_list("kind", flat=True))


# ---- It goes on ----------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["check", "add", "add_batch", "send", "send_again", "spread"])
def test_rows_are_done_once_and_stand_in_the_output_in_order(
    action: str, broker: FakeBroker
) -> None:
    task = broken(broker, action)
    before = task.success_count, task.failure_count, len(engine.read(task))
    plugins.calls.clear()

    task = retry(task, broker)

    assert before == (5, 1, 7)
    assert (task.status, task.success_count, task.failure_count) == ("partial", 11, 1)
    assert (task.reason, task.left_count) == ("", 0)
    assert [row[0] for row in engine.read(task)[1:]] == NAMES
    assert engine.read(task, "failed.csv")[1:] == [["n1", "fail"]]
    assert task_files.csv_names(task) == ["in.csv", "out.csv", "failed.csv"]
    seen = [call.split()[0] for call in plugins.calls]
    assert seen == (["batch", "batch"] if action == "add_batch" else NAMES[6:])
    if action.startswith("add"):
        added = Account.objects.filter(name__in=NAMES).order_by("name")
        assert list(added.values_list("name", flat=True)) == sorted({*NAMES} - {"n1"})
    assert not Part.objects.filter(task=task).exists()


def test_every_segment_continues_at_its_cursor(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"n{number:05}" for number in range(20_000)]
    monkeypatch.setattr(batches, "next_size", lambda *_: 2_000)
    task = engine.start(engine.submit("spread", "name,do", *(f"{name}," for name in names)))
    task.segments.update(batch_size=2_000)
    with taken_away(path_of(task), after=2_000):
        broker.deliver_all()
    task = engine.fresh(task)
    assert task.segments.count() > 1
    assert 0 < task.success_count < len(names)

    task = retry(task, broker)

    assert (task.status, task.success_count) == ("success", len(names))
    assert [row[0] for row in engine.read(task)[1:]] == names
    assert len(plugins.calls) == len(names)


def test_pages_continue_at_their_cursor(broker: FakeBroker) -> None:
    task = engine.start(engine.submit("count"))
    with engine.claimed("one") as run:
        batches.run_next_batch(run)
    break_down(task)
    assert engine.fresh(task).status == "internal_error"

    task = retry(task, broker)

    assert task.status == "success"
    assert [row[0] for row in engine.read(task)[1:]] == [str(number) for number in range(1, 11)]
    assert plugins.calls == ["page 1", "page 4", "page 7", "page 10"]


def test_it_can_break_and_be_retried_again(broker: FakeBroker) -> None:
    task = broken(broker, done=3)
    lifecycle.retry(task, engine.TESTER)
    with taken_away(path_of(task), after=9):
        broker.deliver_all()
    between = engine.fresh(task)

    task = retry(task, broker)

    assert (between.status, between.success_count) == ("internal_error", 8)
    assert (task.status, task.success_count) == ("partial", 11)
    assert [row[0] for row in engine.read(task)[1:]] == NAMES
    assert kinds(task) == [
        "created", "started", "broken", "ended", "retried", "broken", "ended", "retried", "ended",
    ]  # fmt: skip


def test_an_event_records_who_retried_it_and_why_it_had_ended(broker: FakeBroker) -> None:
    task = broken(broker)

    lifecycle.retry(task, engine.TESTER)

    event = TaskEvent.objects.get(kind="retried")
    assert (event.actor, event.request_id) == ("account:tester", "a-request")
    assert (event.old_status, event.new_status) == ("internal_error", "executing")
    assert event.detail == {"reason": "the input is missing: rows 7 to 12"}


def test_while_it_runs_again_it_looks_like_any_running_task(broker: FakeBroker) -> None:
    task = broken(broker)
    revision = task.revision

    lifecycle.retry(task, engine.TESTER)

    task = engine.fresh(task)
    assert (task.status, task.ending, task.reason, task.ended_at) == ("executing", None, "", None)
    assert task.revision > revision
    assert task_files.csv_names(task) == ["in.csv"]
    assert (task.success_count, task.failure_count) == (5, 1)
    engine.assert_balanced(task)


def test_it_can_be_stopped_once_more(broker: FakeBroker) -> None:
    task = broken(broker)
    lifecycle.retry(task, engine.TESTER)

    lifecycle.stop(task, engine.TESTER)
    broker.deliver_all()

    task = engine.fresh(task)
    assert task.status == "stopped"
    assert [row[0] for row in engine.read(task)[1:]] == NAMES[:6]
    assert [row[0] for row in engine.read(task, "unprocessed.csv")[1:]] == NAMES[6:]
    assert not Part.objects.filter(task=task).exists()


def test_a_retried_task_does_what_a_lost_message_asked_for(broker: FakeBroker) -> None:
    task = broken(broker)
    lifecycle.retry(task, engine.TESTER)
    broker.queue.clear()

    Task.objects.update(dispatched_at=database_time(-60))
    sweeping.sweep()
    broker.deliver_all()

    assert engine.fresh(task).status == "partial"


def test_a_worker_of_the_time_before_commits_nothing(broker: FakeBroker) -> None:
    task = engine.start(engine.submit("add", "name,do", *LINES))
    task.segments.update(batch_size=3)
    segment = claiming.claim_next("frozen", 20)
    assert segment is not None
    run = worker.prepare(segment)
    assert run is not None
    with closing(run):
        break_down(task)
        lifecycle.retry(engine.fresh(task), engine.TESTER)
        with pytest.raises(ClaimLost):
            batches.run_next_batch(run)
    broker.deliver_all()

    task = engine.fresh(task)
    assert (task.status, task.success_count) == ("partial", 11)
    assert [row[0] for row in engine.read(task)[1:]] == NAMES


def give_up(run: Run) -> None:
    ending.end_as_broken(run.segment, "something broke it", "something")


def find_its_input_gone(run: Run) -> None:
    ending.end_without_input(run, StoredFileMissing())


def end_it(run: Run) -> None:
    Segment.objects.update(is_done=True)
    ending.complete(run)


@pytest.mark.parametrize("end", [give_up, find_its_input_gone, end_it])
def test_a_worker_of_the_time_before_does_not_end_it_again(
    end: Callable[[Run], None], broker: FakeBroker
) -> None:
    task = engine.start(engine.submit("add", "name,do", *LINES))
    with engine.claimed("frozen") as run:
        break_down(task)
        lifecycle.retry(engine.fresh(task), engine.TESTER)

        with pytest.raises(ClaimLost):
            end(run)

    task = engine.fresh(task)
    assert (task.status, task.ending) == ("executing", None)
    assert kinds(task).count("broken") == 1


def test_the_usage_of_the_account_is_counted_throughout(broker: FakeBroker) -> None:
    task = broken(broker)
    lifecycle.retry(task, engine.TESTER)
    running = AccountUsage.objects.get(), quotas.stored_bytes_of(task)
    broker.deliver_all()

    ended = AccountUsage.objects.get(), quotas.stored_bytes_of(task)
    for usage, stored_bytes in (running, ended):
        assert (usage.task_count, usage.stored_bytes) == (1, stored_bytes)
    assert running[1] < ended[1]


def test_a_download_of_the_output_before_goes_on(broker: FakeBroker) -> None:
    task = broken(broker)
    file = task_files.open_file(task, "out.csv")
    expected = b"".join(file.read())

    retry(task, broker)
    sweeping.sweep()

    assert b"".join(file.read()) == expected
    TaskCSV.objects.filter(task=None).update(kept_until=database_time(-1))
    sweeping.sweep()
    assert not TaskCSV.objects.filter(task=None).exists()


def test_parts_that_are_kept_go_with_the_task(broker: FakeBroker) -> None:
    task = broken(broker)
    kept = Part.objects.filter(task=task).count()

    lifecycle.remove(task, engine.TESTER)
    sweeping.sweep()

    assert kept
    assert not Part.objects.exists()


# ---- Rows with an unknown outcome ----------------------------------------------------------------


def test_an_indeterminate_row_stays_so_and_can_be_settled_afterwards(broker: FakeBroker) -> None:
    task = broken(broker, "send", "n0,", "n1,crash", "n2,", "n3,", "n4,crash", done=3)

    task = retry(task, broker)
    assert rows.counts(task) == (3, 2, 2)
    task = rows.settle(broker, task, "not_done", 2)
    task = rows.settle(broker, task, "done", 5)

    assert rows.counts(task) == (4, 1, 0)
    assert [row[0] for row in engine.read(task)[1:]] == ["n0", "n1", "n2", "n3", "n4"]
    rows.assert_counts_equal_files(task)


@pytest.mark.parametrize("decision", ["done", "not_done", "send_again"])
def test_rows_that_were_settled_before_stay_settled(decision: str, broker: FakeBroker) -> None:
    task = broken(broker, "send", "n0,", "n1,crash", "n2,crash", "n3,", "n4,fail", done=3)
    task = rows.settle(broker, task, decision, 2)
    before = rows.counts(task), engine.read(task)
    rows.assert_counts_equal_files(task)
    engine.assert_balanced(task)

    task = retry(task, broker)
    assert engine.read(task)[: len(before[1])] == before[1]
    rows.assert_counts_equal_files(task)
    task = rows.settle(broker, task, "not_done", 3)

    assert engine.read(task, "failed.csv")[-2:] == [["n2", "crash"], ["n4", "fail"]]
    rows.assert_counts_equal_files(task)


def test_a_row_that_is_being_settled_is_waited_for(broker: FakeBroker) -> None:
    task = broken(broker, "send", "n0,", "n1,crash", "n2,", "n3,", done=3)
    rows.decide(task, "done", 2)

    with pytest.raises(CannotBeRetried, match="being settled"):
        lifecycle.retry(engine.fresh(task), engine.TESTER)

    broker.deliver_all()
    assert retry(task, broker).status == "success"


def test_nothing_is_settled_while_it_runs_again(broker: FakeBroker) -> None:
    task = broken(broker, "send", "n0,", "n1,crash", "n2,", "n3,", done=3)
    lifecycle.retry(task, engine.TESTER)

    with pytest.raises(TaskHasNotEnded):
        rows.decide(task, "done", 2)
    broker.deliver_all()

    assert rows.effect(task, 2).state == "indeterminate"


# ---- It cannot go on -----------------------------------------------------------------------------


def assert_refused(task: Task, words: str) -> None:
    before = engine.fresh(task)
    with pytest.raises(CannotBeRetried, match=words):
        lifecycle.retry(engine.fresh(task), engine.TESTER)
    after = engine.fresh(task)
    assert (after.status, after.revision) == (before.status, before.revision)
    assert "retried" not in kinds(task)


@pytest.mark.parametrize(
    "status", ["pending", "executing", "success", "failure", "partial", "stopped"]
)
def test_only_a_broken_task_is_retried(status: str) -> None:
    assert_refused(TaskFactory.create(status=status), "only a task that ended internal_error")


def test_a_removed_task_looks_like_a_missing_one(broker: FakeBroker) -> None:
    task = broken(broker)
    lifecycle.remove(engine.fresh(task), engine.TESTER)

    with pytest.raises(TaskNotFound):
        lifecycle.retry(task, engine.TESTER)


def alter(change: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (Path.unlink, "the input is missing: rows 1 to 12"),
        (alter(lambda content: content[:-1]), "the input has changed since its upload: rows"),
        (alter(lambda content: content.replace(b"n7", b"m7")), "the input has changed"),
    ],
    ids=["missing", "cut off", "edited"],
)
def test_a_task_whose_input_is_not_as_it_was_is_not_retried(
    damage: Callable[[Path], object], words: str, broker: FakeBroker
) -> None:
    task = broken(broker)
    damage(path_of(task))

    assert_refused(task, words)


def test_a_task_whose_input_cannot_be_read_now_is_not_retried(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def be_away(*_: object) -> None:
        raise OSError("away")

    task = broken(broker)
    with monkeypatch.context() as away:
        away.setattr(default_storage, "open_range", be_away, raising=False)
        with pytest.raises(StorageUnavailable):
            lifecycle.retry(task, engine.TESTER)

    assert engine.fresh(task).status == "internal_error"
    assert retry(task, broker).status == "partial"


def test_a_task_of_another_version_is_not_retried(broker: FakeBroker) -> None:
    task = broken(broker)
    Task.objects.filter(pk=task.pk).update(category_version="0")

    with pytest.raises(TaskDoesNotFit, match=r"installed is version .*; send its unprocessed.csv"):
        lifecycle.retry(engine.fresh(task), engine.TESTER)


def test_a_task_that_has_no_row_left_is_not_retried(broker: FakeBroker) -> None:
    task = engine.start(engine.submit("check", "name,do", "n0,"))
    with engine.claimed("one") as run:
        batches.run_next_batch(run)
    path_of(task).unlink()
    Segment.objects.update(claimed_until=None)
    broker.deliver_all()
    task = engine.fresh(task)
    assert (task.status, task.success_count) == ("internal_error", 1)
    assert not Part.objects.filter(task=task).exists()

    assert_refused(task, "no row is left")


def test_a_task_that_ended_under_an_older_release_has_nothing_to_go_on_with(
    broker: FakeBroker,
) -> None:
    task = broken(broker)
    Part.objects.filter(task=task).delete()

    assert_refused(task, "it ended under an older release; send its unprocessed.csv")


def test_of_two_concurrent_retries_one_is_refused(
    broker: FakeBroker,
) -> None:
    task = broken(broker)
    as_read = engine.fresh(task)
    lifecycle.retry(task, engine.TESTER)

    with pytest.raises(CannotBeRetried):
        lifecycle.retry(as_read, engine.TESTER)
    broker.deliver_all()

    assert kinds(task).count("retried") == 1
