"""What is the answer to an operation on a task that has just been removed or purged?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tasks_app import lifecycle
from tasks_app.errors import ClaimLost, CSVNotFound, StoredFileMissing, TaskNotFound
from tasks_app.execution import assembly, ending, poison_rows, worker
from tasks_app.files import task_files
from tasks_app.models import Segment, Task, TaskCSV, TaskEvent
from tasks_app.models.task import TaskQuerySet
from tasks_app.states import TaskStatus
from tasks_app.upkeep import expiry, unlocked
from tests import engine
from tests.broker import FakeBroker
from tests.factories import AccountFactory
from tests.integration.tasks_app.api.calls import Caller, assert_error, cause

pytestmark = pytest.mark.django_db(transaction=True)
ROWS = ["name,do", "n0,", "n1,fail", "n2,"]
ACTS = [lifecycle.start, lifecycle.stop, lifecycle.remove]


def remove(task: Task) -> None:
    """Remove the task, as another person does."""
    stored = engine.fresh(task)
    if stored.status == TaskStatus.EXECUTING:
        lifecycle.stop(stored, engine.TESTER)
    lifecycle.remove(stored, engine.TESTER)


def remove_and_purge(task: Task) -> None:
    """Remove the task and let the sweeper delete it."""
    remove(task)
    expiry.purge_removed_tasks()
    expiry.delete_orphaned_files()


GONE = [remove, remove_and_purge]


@pytest.fixture
def caller(broker: FakeBroker) -> Caller:
    """An account, using the API."""
    return Caller(AccountFactory.create())


def before_update(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Call a function before the next UPDATE of a task: another person was faster."""
    update = TaskQuerySet.update
    waiting = [act]

    def overtaken(self: TaskQuerySet, **changes: Any) -> int:
        if waiting:
            waiting.pop()()
        return update(self, **changes)

    monkeypatch.setattr(TaskQuerySet, "update", overtaken)


def after_update(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Call a function after the next UPDATE of a task or a segment."""
    update = TaskQuerySet.update
    waiting = [act]

    def followed(self: Any, **changes: Any) -> int:
        count = update(self, **changes)
        if waiting:
            waiting.pop()()
        return count

    monkeypatch.setattr(TaskQuerySet, "update", followed)


@pytest.mark.parametrize("end", GONE)
@pytest.mark.parametrize("act", ACTS)
def test_an_operation_on_a_task_that_was_deleted_meanwhile_finds_none(
    act: Callable[..., None], end: Callable[[Task], None], broker: FakeBroker
) -> None:
    task = engine.submit("check", *ROWS)
    end(task)

    with pytest.raises(TaskNotFound):
        act(task, engine.TESTER)


@pytest.mark.parametrize("end", GONE)
@pytest.mark.parametrize(
    ("method", "path", "message"),
    [("PATCH", "", "bad_identifier"), ("PATCH", "/stop", "bad_identifier"), ("DELETE", "", "")],
)
def test_a_request_that_races_a_removal_is_answered_404(
    method: str,
    path: str,
    message: str,
    end: Callable[[Task], None],
    caller: Caller,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = engine.submit("check", *ROWS, account=caller.account)
    before_update(monkeypatch, lambda: end(task))

    response = caller.call(method, f"/{task.pk}{path}")

    if message:
        assert_error(response, 404, message, cause(task.pk))
    else:
        assert_error(response, 404, "bad identifier", [task.pk])


def test_a_removal_that_races_a_start_names_the_status_that_was_left(
    broker: FakeBroker,
) -> None:
    task = engine.submit("check", *ROWS)
    as_read = engine.fresh(task)
    engine.start(task)
    broker.deliver_all()

    lifecycle.remove(as_read, engine.TESTER)

    removed = TaskEvent.objects.get(task_id=task.pk, kind="removed")
    assert (removed.old_status, removed.new_status) == ("partial", "removed")


def test_a_sweeper_logs_nothing_about_a_task_that_another_one_expired(
    broker: FakeBroker, caplog: pytest.LogCaptureFixture
) -> None:
    task = engine.submit("check", *ROWS)
    remove_and_purge(task)

    unlocked.for_each([task], expiry.expire)

    assert "failed" not in caplog.text


@pytest.mark.parametrize("name", ["in.csv", "out.csv", "unprocessed.csv"])
def test_a_file_of_a_task_that_was_purged_meanwhile_is_not_there(
    name: str, broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = engine.start(engine.submit("check", *ROWS))
    lifecycle.stop(task, engine.TESTER)
    names_with = task_files.names_with

    def purged_after(task: Task, stored: Any) -> list[Any]:
        names = names_with(task, stored)
        remove_and_purge(task)
        return names

    monkeypatch.setattr(task_files, "names_with", purged_after)

    with pytest.raises((CSVNotFound, StoredFileMissing)):
        b"".join(task_files.open_file(task, name).read())


@pytest.mark.parametrize("name", ["in.csv", "out.csv", "unprocessed.csv"])
def test_a_download_that_races_a_removal_is_answered_404(
    name: str, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = engine.start(engine.submit("check", *ROWS, account=caller.account))
    lifecycle.stop(task, engine.TESTER)
    names_with = task_files.names_with

    def purged_after(task: Task, stored: Any) -> list[Any]:
        names = names_with(task, stored)
        remove_and_purge(task)
        return names

    monkeypatch.setattr(task_files, "names_with", purged_after)

    response = caller.get(f"/{task.pk}?csv_name={name}")

    assert_error(response, 404, "bad_identifier", cause(task.pk))


def test_an_assembler_leaves_a_task_alone_that_is_purged_under_its_claim(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = engine.start(engine.submit("check", *ROWS))
    lifecycle.stop(task, engine.TESTER)
    after_update(monkeypatch, lambda: remove_and_purge(task))

    assembly.assemble(task.pk)

    assert not Task.objects.filter(pk=task.pk).exists()
    assert not TaskCSV.objects.exists()


def test_a_worker_gives_up_a_suspect_row_of_a_task_that_is_purged(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = engine.start(engine.submit("check", *ROWS))

    with engine.claimed("a message") as run:
        remove_and_purge(task)
        with pytest.raises(ClaimLost):
            poison_rows.mark_isolated_attempt(run.segment)


def test_staff_get_a_message_that_a_task_was_deleted_meanwhile(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, admin_client: Client
) -> None:
    task = engine.submit("check", *ROWS)
    before_update(monkeypatch, lambda: remove_and_purge(task))

    response = admin_client.post(f"/admin/tasks_app/task/{task.pk}/step/start/", follow=True)

    assert response.status_code == 200
    assert "There is no such task" in response.content.decode()


def test_a_message_for_a_task_that_is_purged_at_once_does_nothing(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = engine.start(engine.submit("check", *ROWS))
    with monkeypatch.context() as dying:
        dying.setattr(ending, "complete", lambda *_: None)
        broker.deliver_all()
    update = Segment.objects.all().__class__.update

    def followed(self: Any, **changes: Any) -> int:
        count = update(self, **changes)
        monkeypatch.undo()
        remove_and_purge(task)
        return count

    monkeypatch.setattr(Segment.objects.all().__class__, "update", followed)

    worker.try_to_complete(task.pk)

    assert not Task.objects.filter(pk=task.pk).exists()
