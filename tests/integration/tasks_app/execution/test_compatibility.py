"""Tests that a worker leaves tasks of other versions to other workers, until a time limit."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from categories import registry
from categories.contract import Category
from categories.registry import finding
from tasks_app import lifecycle
from tasks_app.errors import TaskDoesNotFit
from tasks_app.execution import compatibility, scheduling
from tasks_app.models import Segment, Task
from tasks_app.models.clock import database_time
from tasks_app.states import TaskStatus
from tasks_app.upkeep import sweeping
from tests import engine, plugins
from tests.broker import FakeBroker
from tests.factories import AccountFactory

pytestmark = pytest.mark.django_db(transaction=True)
ROWS = ["name,do", "one,", "two,"]


class Newer(plugins.Trial):
    """The next version."""

    version = "2"


class Poorer(plugins.Trial):
    """The same version, but an action has gone."""

    actions = [plugins.Add]


@pytest.fixture(autouse=True)
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compatibility, "_handovers", {})


@contextmanager
def worker_with(category: type[Category] | None) -> Iterator[None]:
    """Let this process have another version of the trial category, or none at all."""
    before = dict(finding._overlay)
    finding._overlay.clear()
    finding._overlay.update({category.name: category} if category else {})
    try:
        yield
    finally:
        finding._overlay.clear()
        finding._overlay.update(before)


ANOTHER = pytest.mark.parametrize("category", [Newer, Poorer, None])


@ANOTHER
def test_a_worker_leaves_a_task_that_it_cannot_do_as_it_is(
    category: type[Category] | None, broker: FakeBroker, caplog: pytest.LogCaptureFixture
) -> None:
    task = engine.start(engine.submit("check", *ROWS))

    with worker_with(category):
        broker.deliver_all(most=5)
        for _ in range(3):
            sweeping.sweep()
            broker.deliver_all(most=5)

    task = engine.fresh(task)
    segment = task.segments.get()
    assert (task.status, task.ending, task.served_at) == ("executing", None, None)
    assert (segment.claim, segment.idle_claims) == (0, 0)
    assert task.unfit_since is not None
    assert caplog.text.count(f"Task {task.pk} is left to another worker") == 1


@ANOTHER
def test_a_worker_that_fits_does_what_others_left(
    category: type[Category] | None, broker: FakeBroker
) -> None:
    task = engine.start(engine.submit("check", *ROWS))
    with worker_with(category):
        broker.deliver()

    broker.deliver_all()

    task = engine.fresh(task)
    assert (task.status, task.unfit_since) == ("success", None)


def test_the_sweeper_repeats_a_message_that_no_worker_can_use(
    broker: FakeBroker,
) -> None:
    task = engine.start(engine.submit("check", *ROWS))
    with worker_with(Newer):
        broker.deliver_all(most=5)

    sweeping.sweep()
    broker.deliver_all()

    assert engine.fresh(task).status == "success"


def test_a_message_is_handed_over_a_few_times_and_once_more_when_the_sweeper_asks(
    broker: FakeBroker,
) -> None:
    task = engine.start(engine.submit("check", *ROWS))
    with worker_with(Newer):
        at_the_start = deliver_and_count(broker)
        compatibility._handovers[task.pk].at -= 2 * compatibility.FORGET_SECONDS
        sweeping.repeat_message(engine.fresh(task))
        after_a_while = deliver_and_count(broker)

    assert (at_the_start, after_a_while) == (1 + compatibility.MAX_HANDOVERS, 1 + 1)


def deliver_and_count(broker: FakeBroker) -> int:
    """Deliver until nothing is left; return how many messages there were."""
    count = 0
    while broker.queue:
        broker.deliver()
        count += 1
    return count


def test_tasks_that_no_worker_fits_do_not_keep_the_sweeper_from_the_others(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "MAX_AT_ONCE", 1)
    monkeypatch.setattr(sweeping, "MAX_UNFIT_AT_ONCE", 1)
    unfit = [engine.start(engine.submit("check", *ROWS)) for _ in range(3)]
    Task.objects.update(category_version="0")
    broker.deliver_all()
    lost = engine.start(engine.submit("check", *ROWS))
    broker.queue.clear()
    Task.objects.filter(pk=lost.pk).update(dispatched_at=database_time(-60))

    sweeping.sweep()

    woken = {arguments[0] for _, arguments in broker.queue}
    assert lost.pk in woken
    assert len(woken & {task.pk for task in unfit}) == 1


def test_a_worker_does_what_it_can_beside_a_task_that_it_cannot_do(broker: FakeBroker) -> None:
    first = engine.start(engine.submit("check", *ROWS))
    Task.objects.update(category_version="0")
    second = engine.start(engine.submit("check", *ROWS, account=AccountFactory.create()))

    broker.deliver_all(most=20)

    assert engine.fresh(first).unfit_since is not None
    assert engine.fresh(second).status == "success"


def test_a_new_task_that_a_worker_cannot_do_does_not_make_it_leave_its_own(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduling, "MIN_CHECK_SECONDS", 0)
    engine.start(engine.submit("check", *ROWS))
    looking = scheduling.NewTasks(AccountFactory.create().pk)
    are_waiting_before = looking.are_waiting()

    Task.objects.update(category_version="0")

    assert (are_waiting_before, looking.are_waiting()) == (True, False)


def test_a_worker_without_any_category_keeps_its_task(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduling, "MIN_CHECK_SECONDS", 0)
    monkeypatch.setattr(registry, "offered", tuple)
    engine.start(engine.submit("check", *ROWS))

    assert not scheduling.NewTasks(AccountFactory.create().pk).are_waiting()


@pytest.mark.parametrize(
    ("category", "status", "reason"),
    [
        (Newer, "failure", "created under version 1 of trial, installed is version 2"),
        (Poorer, "internal_error", "has no action 'check'"),
        (None, "internal_error", "There is no category 'trial'"),
    ],
)
def test_a_task_that_no_worker_fitted_for_so_long_ends(
    category: type[Category] | None, status: str, reason: str, broker: FakeBroker, settings: Any
) -> None:
    settings.PISTON_UNFIT_SECONDS = 3600
    task = engine.start(engine.submit("check", *ROWS))
    with worker_with(category):
        broker.deliver_all(most=5)
        Task.objects.update(unfit_since=database_time(-3599))
        sweeping.sweep()
        before = engine.fresh(task)
        Task.objects.update(unfit_since=database_time(-3601))

        sweeping.sweep()
        broker.deliver_all(most=5)

    task = engine.fresh(task)
    assert before.ending is None
    assert task.status == status
    assert reason in task.reason


def test_a_task_that_the_sweepers_own_process_fits_never_ends_so(broker: FakeBroker) -> None:
    task = engine.start(engine.submit("check", *ROWS))
    Task.objects.update(unfit_since=database_time(-timedelta(days=300).total_seconds()))

    sweeping.end_unfit_tasks()

    assert engine.fresh(task).ending is None


def test_a_finish_that_was_cut_off_is_left_to_a_worker_that_fits(broker: FakeBroker) -> None:
    task = engine.start(engine.submit("finish", *ROWS))
    Segment.objects.update(is_done=True)
    with worker_with(Newer):
        for _ in range(3):
            broker.deliver_all(most=5)
            sweeping.sweep()
    segment = Segment.objects.get()
    before = engine.fresh(task).ending, segment.idle_claims, engine.fresh(task).unfit_since is None

    broker.deliver_all()

    assert before == (None, 0, False)
    assert engine.fresh(task).ending == "completed"


@ANOTHER
def test_a_pending_task_that_does_not_fit_is_not_started(
    category: type[Category] | None, broker: FakeBroker
) -> None:
    task = engine.submit("check", *ROWS)

    with worker_with(category), pytest.raises(TaskDoesNotFit, match="create the task again"):
        lifecycle.start(task, engine.TESTER)

    assert engine.fresh(task).status == TaskStatus.PENDING
    assert broker.queue == []
