"""Do workers and the sweeper skip rows that another session has locked in PostgreSQL?"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from piston.accounts.models import Token
from piston.accounts.signing_in import purge_expired_tokens, sign_in
from piston.database import locks
from tasks_app import lifecycle
from tasks_app.execution import assembly, claiming, scheduling, worker
from tasks_app.execution.releasing import PendingReleases
from tasks_app.models import AccountTurn, AccountUsage, ActionPace, Segment, Task
from tasks_app.models.clock import database_time
from tasks_app.queue import dispatch
from tasks_app.upkeep import expiry, sweeping, unlocked
from tests import engine, plugins
from tests.broker import FakeBroker
from tests.factories import AccountFactory, make_api_key, make_token
from tests.locking import locked

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgresql]
ROWS = ["name,do", *(f"n{index}," for index in range(40))]
SOON = 3.0  # seconds; a wait for a lock takes five


@contextmanager
def soon() -> Iterator[None]:
    """Check that no session waited for a lock until its time-out."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < SOON


def start() -> Task:
    return engine.start(engine.submit("check", *ROWS))


@pytest.mark.parametrize("kind", [Task, Segment])
def test_the_first_segment_that_is_free_is_claimed(
    kind: type[Task | Segment], broker: FakeBroker
) -> None:
    first, second = start(), start()
    row = first if kind is Task else first.segments.get()

    with locked(row), soon():
        claimed = claiming.claim_next("one", 20)

    assert claimed is not None
    assert claimed.task_id == second.pk


def test_a_segment_that_is_locked_for_a_moment_is_claimed_then(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = start()
    holding = locked(task)
    holding.__enter__()
    monkeypatch.setattr(claiming, "sleep", lambda _: holding.__exit__(None, None, None))

    claimed = claiming.claim_next("one", 20)

    assert claimed is not None


def test_a_task_that_stays_locked_is_left_and_named(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(claiming, "MAX_LOCKED_SECONDS", 0.05)
    task = start()

    with locked(task) as process:
        claimed = claiming.claim_next("one", 20)

    assert claimed is None
    said = f"Task {task.pk} stands still: its row is locked by PostgreSQL's process {process} "
    assert said in caplog.text


def test_a_task_whose_segments_stay_locked_is_left_and_named(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(claiming, "MAX_LOCKED_SECONDS", 0.05)
    task = start()

    with locked(task.segments.get()) as process:
        claimed = claiming.claim_next("one", 20)

    assert claimed is None
    said = f"Task {task.pk} stands still: its segments are locked by PostgreSQL's process {process}"
    assert said in caplog.text


def test_a_role_that_cannot_see_the_holder_logs_that(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(locks, "find_holder", lambda *_: "")

    locks.warn_of_lock(Task, "x")

    assert "Task x stands still: its row is locked by somebody" in caplog.text


@pytest.mark.parametrize("seconds", [10, 0])
def test_a_process_of_ours_is_named_only_when_it_stays(
    seconds: int,
    broker: FakeBroker,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(locks, "IS_PASSING", locks.IS_PASSING.replace("10 s", f"{seconds} s"))
    task = start()

    with locked(task, name="piston 1 another@host"):
        locks.warn_of_lock(Task, task.pk)

    assert ("stands still" in caplog.text) is (seconds == 0)


def test_an_unlocked_row_has_no_holder(broker: FakeBroker) -> None:
    assert locks.find_holder(Task, start().pk) == ""


def test_one_of_several_holders_of_a_shared_lock_is_named(broker: FakeBroker) -> None:
    task = start()

    with locked(task, how="FOR SHARE") as first, locked(task, how="FOR SHARE") as second:
        named = locks.find_holder(Task, task.pk)

    assert any(f"PostgreSQL's process {process} " in named for process in (first, second))


def test_a_holder_of_a_shared_lock_that_is_free_again_is_not_named(broker: FakeBroker) -> None:
    task = start()
    with locked(task, how="FOR SHARE"), locked(task, how="FOR SHARE"):
        pass

    with transaction.atomic():
        assert locks.find_holder(Task, task.pk) == ""
        assert engine.fresh(task) == task  # the transaction can go on


def test_a_prepared_transaction_is_named(broker: FakeBroker) -> None:
    task = start()
    with connection.cursor() as cursor:
        cursor.execute("SHOW max_prepared_transactions")
        if cursor.fetchone() == ("0",):
            pytest.skip("the server allows no prepared transactions")
        cursor.execute("BEGIN")
        cursor.execute("SELECT 1 FROM tasks_app_task WHERE id = %s FOR UPDATE", [task.pk])
        cursor.execute("PREPARE TRANSACTION 'forgotten'")
        try:
            named = locks.find_holder(Task, task.pk)
        finally:
            cursor.execute("ROLLBACK PREPARED 'forgotten'")

    assert named.startswith("the prepared transaction 'forgotten', until")


def test_the_limit_on_workers_holds(broker: FakeBroker) -> None:
    task = engine.start(engine.submit("spread", *ROWS, *(f"m{index}," for index in range(400))))
    Task.objects.filter(pk=task.pk).update(max_workers=2)

    claims = [claiming.claim_next(f"message {number}", 20) for number in range(3)]

    assert [claim is not None for claim in claims] == [True, True, False]


def test_an_account_whose_turn_is_locked_is_served_all_the_same(broker: FakeBroker) -> None:
    task = start()
    turn = AccountTurn.objects.create(account=task.account, served_at="2000-01-01T00:00Z")

    with locked(turn), soon():
        claimed = claiming.claim_next("one", 20)

    assert claimed is not None


def test_a_new_account_that_is_locked_is_served_all_the_same(broker: FakeBroker) -> None:
    task = start()

    with locked(task.account), soon():
        claimed = claiming.claim_next("one", 20)

    assert claimed is not None
    assert not AccountTurn.objects.exists()


def test_a_message_about_a_locked_task_is_left_to_the_sweeper(
    broker: FakeBroker, caplog: pytest.LogCaptureFixture
) -> None:
    task = engine.fresh(start())

    with locked(task), soon():
        received = dispatch.receive(task.pk, task.wake_number)

    assert not received
    assert task.pk in caplog.text
    assert engine.fresh(task).dispatched_at is not None


def test_a_locked_task_is_not_woken_and_blocks_no_process(broker: FakeBroker) -> None:
    task = start()
    Task.objects.update(dispatched_at=None)
    broker.queue.clear()

    with locked(task), soon():
        dispatch.wake(task.pk)

    assert broker.queue == []


def test_other_errors_of_the_database_are_raised(broker: FakeBroker) -> None:
    def fail() -> int:
        raise OperationalError("gone")

    with pytest.raises(OperationalError):
        locks.unless_locked(Task, "x", fail)


def test_a_sweep_passes_over_more_locked_tasks_than_it_sends_for(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sweeping, "MAX_AT_ONCE", 3)
    tasks = [start() for _ in range(5)]
    Task.objects.update(dispatched_at=database_time(-60))
    broker.queue.clear()

    with locked(*tasks[:4]) as process, soon():
        sweeping.wake_silent_tasks()

    assert [arguments[0] for _, arguments in broker.queue] == [tasks[4].pk]
    named = [task for task in tasks if f"{task.pk} stands still" in caplog.text]
    assert named
    assert f"process {process} " in caplog.text


def test_a_sweep_sends_for_no_task_whose_segments_are_locked_but_for_those_behind_it(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sweeping, "MAX_AT_ONCE", 2)
    tasks = [start() for _ in range(4)]
    Task.objects.update(dispatched_at=database_time(-60))
    broker.queue.clear()

    with locked(*(task.segments.get() for task in tasks[:3])) as process, soon():
        sweeping.wake_silent_tasks()

    assert [arguments[0] for _, arguments in broker.queue] == [tasks[3].pk]
    said = f"Task {tasks[0].pk} stands still: its segments are locked by PostgreSQL's process"
    assert f"{said} {process} " in caplog.text


def test_a_task_with_one_segment_that_is_free_is_sent_for(broker: FakeBroker) -> None:
    task = engine.start(engine.submit("spread", *ROWS, *(f"m{index}," for index in range(400))))
    Task.objects.update(dispatched_at=database_time(-60))
    broker.queue.clear()

    with locked(*task.segments.order_by("index")[1:]), soon():
        sweeping.wake_silent_tasks()

    assert [arguments[0] for _, arguments in broker.queue] == [task.pk]


@pytest.mark.parametrize("kind", [Task, Segment])
def test_a_worker_does_not_leave_its_task_to_a_new_one_that_is_locked(
    kind: type[Task | Segment], broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduling, "MIN_CHECK_SECONDS", 0)
    new_tasks = scheduling.NewTasks(start().account_id)
    other = start()
    row = other if kind is Task else other.segments.get()

    with locked(row), soon():
        while_locked = new_tasks.are_waiting()
    afterwards = new_tasks.are_waiting()

    assert (while_locked, afterwards) == (False, True)


def test_a_sweep_does_not_name_the_holder_of_a_brief_lock(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    task = start()
    Task.objects.update(dispatched_at=database_time(-60))
    holding = locked(task)
    holding.__enter__()
    monkeypatch.setattr(unlocked, "sleep", lambda _: holding.__exit__(None, None, None))

    sweeping.wake_silent_tasks()

    assert "stands still" not in caplog.text


def test_a_removed_task_that_is_locked_does_not_hold_up_another(broker: FakeBroker) -> None:
    first, second = (engine.submit("check", *ROWS) for _ in range(2))
    for task in (first, second):
        lifecycle.remove(task, engine.TESTER)

    with locked(first), soon():
        expiry.purge_removed_tasks()

    assert list(Task.objects.all()) == [first]


def test_an_account_whose_counts_are_locked_does_not_hold_up_a_sweep(broker: FakeBroker) -> None:
    task = engine.submit("check", *ROWS)
    lifecycle.remove(task, engine.TESTER)
    Task.objects.update(stored_bytes=1)  # it is still counted
    usage = AccountUsage.objects.get(pk=task.account_id)

    with locked(usage), soon():
        expiry.purge_removed_tasks()

    assert Task.objects.exists()


def test_a_claim_that_is_locked_does_not_keep_its_worker_from_others(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        start()
    held = claiming.claim_next("one", 20)
    assert held is not None
    mine = PendingReleases()
    monkeypatch.setattr(mine, "add_for_later", mine._left.append)
    monkeypatch.setattr(worker, "pending_releases", mine)

    with locked(held), soon():
        mine.add(held.release_or_uncount)
        claimed = worker.claim_next("two")

    assert claimed is not None
    assert claimed.task_id != held.task_id


def test_an_output_waits_for_its_accounts_counts(
    broker: FakeBroker, caplog: pytest.LogCaptureFixture
) -> None:
    task = start()
    worker.run_slice(task.pk, "one")
    usage = AccountUsage.objects.get(pk=task.account_id)

    with locked(usage), soon():
        assembly.assemble(task.pk)

    assert engine.fresh(task).status == "executing"
    assert "has to wait" in caplog.text


def test_an_action_whose_pace_is_locked_keeps_no_worker_waiting(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(plugins.Check, "rows_per_second", 200.0)
    task = start()
    pace = ActionPace.objects.create(action="trial/check", free_at=database_time(-60))

    with locked(pace), soon():
        worker.run_slice(task.pk, "one")

    assert engine.fresh(task).failure_count == 0
    assert not Segment.objects.held().exists()
    assert "has to wait, no row is to blame" in caplog.text
    worker.run_slice(task.pk, "two")
    assert engine.fresh(task).success_count > 0


def test_a_locked_task_that_does_not_fit_does_not_hold_up_another(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    unfit, other = start(), start()
    Task.objects.filter(pk=unfit.pk).update(category_version="0")

    with locked(unfit), soon():
        worker.run_slice(unfit.pk, "one")

    assert engine.fresh(other).success_count == len(ROWS) - 1


def test_expired_tokens_go_but_for_the_one_that_is_locked() -> None:
    account = AccountFactory.create()
    for _ in range(2):
        make_token(account)
    Token.objects.update(created_at=database_time(-60), expires_at=database_time(-30))
    kept = Token.objects.first()

    with locked(kept), soon():
        deleted = purge_expired_tokens()

    assert deleted == 1
    assert Token.objects.get() == kept


@pytest.fixture
def impatient() -> Iterator[None]:
    """Let this session wait for locks for a second, not for five."""
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = 1000")
    yield
    connection.close()


def seconds_in_vain(act: Callable[[], Any]) -> float:
    """Return how long a function waits for a lock that it does not get."""
    began = time.monotonic()
    with pytest.raises(OperationalError, match="lock timeout"):
        act()
    return time.monotonic() - began


def test_an_account_that_is_locked_keeps_one_request_waiting_and_not_those_after_it(
    broker: FakeBroker, impatient: None
) -> None:
    account = AccountFactory.create()

    def submit() -> Task:
        return engine.submit("check", *ROWS, account=account)

    with locked(account):
        first, second = seconds_in_vain(submit), seconds_in_vain(submit)
    submit()

    assert first > 1.0
    assert second < 1.0
    assert ("create", account.pk) not in locks.waited_in_vain


def test_other_statements_wait_for_the_usual_time(broker: FakeBroker, impatient: None) -> None:
    first, second = AccountFactory.create_batch(2)

    with locked(first, second):
        seconds_in_vain(lambda: engine.submit("count", account=first))
        other = seconds_in_vain(lambda: engine.submit("count", account=second))

    assert other > 1.0


@pytest.mark.parametrize("act", ["sign in", "remove"])
def test_other_requests_about_a_locked_account_do_not_wait_again(
    act: str, broker: FakeBroker, impatient: None
) -> None:
    task = engine.submit("check", *ROWS)
    _, api_key = make_api_key(task.account)
    usage = AccountUsage.objects.get(pk=task.account_id)
    acts = {
        "sign in": lambda: sign_in(api_key),
        "remove": lambda: lifecycle.remove(engine.fresh(task), engine.TESTER),
    }

    with locked(task.account, usage):
        first, second = seconds_in_vain(acts[act]), seconds_in_vain(acts[act])

    assert first > 1.0
    assert second < 1.0


def test_failed_waits_are_forgotten_after_some_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "waited_in_vain", {("create", "long ago"): float("-inf")})

    locks.note_vain_wait(("create", "now"))

    assert list(locks.waited_in_vain) == [("create", "now")]
