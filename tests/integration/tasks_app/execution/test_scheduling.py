"""Tests which segment a free worker takes next."""

from contextlib import suppress
from datetime import timedelta
from typing import Any, NoReturn

import pytest
from django.db import OperationalError
from django.db.models import F
from django.utils import timezone
from psycopg.errors import LockNotAvailable

from tasks_app.execution import batches, claiming, scheduling, worker
from tasks_app.models import Segment, Task
from tasks_app.models.clock import database_time
from tests import engine, plugins
from tests.broker import FakeBroker
from tests.factories import AccountFactory

pytestmark = pytest.mark.django_db(transaction=True)
ROWS = ["name,do", *(f"n{index}," for index in range(400))]


def test_the_account_that_waited_longest_is_next_however_many_tasks_another_has(
    broker: FakeBroker,
) -> None:
    busy, small = AccountFactory.create(), AccountFactory.create()
    for _ in range(5):
        engine.start(engine.submit("check", *ROWS, account=busy))
    first = claiming.claim_next("one", 20)
    engine.start(engine.submit("check", *ROWS, account=small))

    second, third, fourth = (claiming.claim_next(name, 20) for name in ("two", "three", "four"))

    owners = [segment and segment.task.account_id for segment in (first, second, third, fourth)]
    assert owners == [busy.pk, small.pk, busy.pk, busy.pk]


def test_within_an_account_tasks_take_turns(broker: FakeBroker) -> None:
    account = AccountFactory.create()
    tasks = [engine.start(engine.submit("check", *ROWS, account=account)) for _ in range(2)]

    claimed = []
    for turn in range(4):
        segment = claiming.claim_next(f"message {turn}", 20)
        assert segment is not None
        claimed.append(segment.task_id)
        segment.release()

    assert sorted(claimed[:2]) == sorted(task.pk for task in tasks)
    assert claimed[2:] == claimed[:2]


def test_the_longest_segment_of_a_task_is_next_so_that_all_end_at_about_one_time(
    broker: FakeBroker,
) -> None:
    task = engine.start(engine.submit("spread", *ROWS))
    Segment.objects.filter(index=0).update(cursor_row=50)
    Segment.objects.filter(index=2).update(cursor_row=F("cursor_row") + 20)

    claimed = [claiming.claim_next(f"message {number}", 20) for number in range(4)]

    assert task.segments.count() == 4
    assert [segment and segment.index for segment in claimed] == [1, 3, 2, 0]


def test_a_slice_whose_time_is_up_still_runs_the_segments_last_batch(
    settings: Any, broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PISTON_SLICE_MILLISECONDS = 0
    monkeypatch.setattr(batches, "aimed_seconds", lambda: 600.0)  # also on a slow machine
    task = engine.start(engine.submit("check", *ROWS))
    Segment.objects.update(batch_size=100)  # the next is four times as large: it takes the rest

    worker.run_slice(task.pk, "one")

    assert Segment.objects.get().is_done


def test_a_slice_whose_time_is_up_leaves_more_than_a_batch_to_the_next(
    settings: Any, broker: FakeBroker
) -> None:
    settings.PISTON_SLICE_MILLISECONDS = 0
    task = engine.start(engine.submit("check", *ROWS))
    Segment.objects.update(batch_size=50)

    worker.run_slice(task.pk, "one")

    assert Segment.objects.get().cursor_row == 50


def test_no_other_worker_takes_a_claimed_segment_until_the_claim_expires(
    broker: FakeBroker,
) -> None:
    engine.start(engine.submit("check", *ROWS))
    first = claiming.claim_next("one", 20)
    assert first is not None

    while_held = claiming.claim_next("two", 20)
    Segment.objects.update(claimed_until=database_time(-1))
    afterwards = claiming.claim_next("two", 20)

    assert while_held is None
    assert afterwards is not None
    assert afterwards.claim == first.claim + 1


def test_a_message_that_comes_again_takes_over_at_once(broker: FakeBroker) -> None:
    engine.start(engine.submit("check", *ROWS))
    first = claiming.claim_next("one", 20)
    assert first is not None

    again = claiming.claim_next("one", 20)

    assert again is not None
    assert (again.pk, again.claim) == (first.pk, first.claim + 1)


def test_no_more_workers_than_the_action_allows(broker: FakeBroker) -> None:
    task = engine.start(engine.submit("spread", *ROWS))
    Task.objects.filter(pk=task.pk).update(max_workers=2)

    claims = [claiming.claim_next(f"message {number}", 20) for number in range(3)]

    assert task.segments.count() > 2
    assert [claim is not None for claim in claims] == [True, True, False]


def test_claims_go_by_the_databases_clock(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.start(engine.submit("check", *ROWS))
    assert claiming.claim_next("one", 20) is not None
    an_hour_later = timezone.now() + timedelta(hours=1)
    monkeypatch.setattr("django.utils.timezone.now", lambda: an_hour_later)

    assert claiming.claim_next("two", 20) is None


def test_a_claim_whose_commit_had_no_answer_is_released(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = engine.start(engine.submit("check", *ROWS))
    claim = claiming.claim

    def claim_and_lose_the_reply(*arguments: Any) -> NoReturn:
        claim(*arguments)
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(claiming, "claim", claim_and_lose_the_reply)
    worker.run_slice(task.pk, "one")
    monkeypatch.undo()

    again = claiming.claim_next("two", 20)
    assert again is not None
    assert (again.claim, again.idle_claims) == (2, 1)


def test_a_claim_that_another_worker_has_by_now_is_not_released(broker: FakeBroker) -> None:
    engine.start(engine.submit("check", *ROWS))
    segment = claiming.claim_next("one", 20)
    assert segment is not None
    Segment.objects.update(claimed_by="another host:1")

    claiming.release_claims("one")

    assert Segment.objects.held().exists()


def test_a_worker_ends_its_slice_after_the_current_batch_for_a_new_task(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduling, "MIN_CHECK_SECONDS", 0)
    tasks = [engine.start(engine.submit("check", *ROWS)) for _ in range(2)]

    worker.run_slice(tasks[0].pk, "one")

    assert sorted(Segment.objects.values_list("part_count", flat=True)) == [0, 1]


@pytest.mark.parametrize("is_served", [True, False])
def test_a_worker_stays_for_tasks_of_the_same_account_and_for_those_that_had_a_turn(
    is_served: bool, broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduling, "MIN_CHECK_SECONDS", 0)
    busy = engine.start(engine.submit("check", *ROWS))
    other = engine.submit("check", *ROWS, account=None if is_served else busy.account)
    engine.start(other)
    if is_served:
        Task.objects.filter(pk=other.pk).update(served_at=timezone.now())

    worker.run_slice(busy.pk, "one")

    assert Segment.objects.filter(is_done=True).count() == 1
    assert Segment.objects.filter(part_count=1).count() == 0


@pytest.mark.parametrize("trouble", [None, OperationalError("gone")])
def test_a_worker_that_completes_the_task_of_a_dead_one_releases_its_segment(
    trouble: Exception | None, broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = engine.start(engine.submit("check", *ROWS))
    Segment.objects.update(is_done=True, cursor_row=400)

    def end_work(*_: object) -> bool:
        if trouble:
            raise trouble
        return True

    monkeypatch.setattr(Task, "end_work", end_work)
    with suppress(OperationalError):
        worker.run_slice(task.pk, "one")

    assert not Segment.objects.held().exists()


def unended_and_other() -> tuple[Task, Task]:
    """Return a task whose worker died before its end, and one of another account with rows left."""
    unended, other = (engine.start(engine.submit("check", *ROWS)) for _ in range(2))
    unended.segments.update(is_done=True, cursor_row=400)
    return unended, other


def let_end_fail(monkeypatch: pytest.MonkeyPatch, trouble: OperationalError) -> None:
    def finish(*_: object) -> NoReturn:
        raise trouble

    monkeypatch.setattr(plugins.Check, "finish", finish)


def test_an_end_that_meets_a_lock_does_not_hold_up_another_task(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    locked = OperationalError("lock timeout")
    locked.__cause__ = LockNotAvailable()
    let_end_fail(monkeypatch, locked)
    monkeypatch.setattr(batches, "aimed_seconds", lambda: 0.001)  # its own task does not end
    unended, other = unended_and_other()

    with suppress(OperationalError):
        worker.run_slice(unended.pk, "one")

    assert engine.fresh(other).success_count > 0
    assert engine.fresh(unended).ending is None
    assert f"The end of task {unended.pk} has to wait: lock timeout" in caplog.text
    assert not Segment.objects.held().exists()


def test_nothing_is_claimed_when_an_end_finds_that_the_database_is_away(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_end_fail(monkeypatch, OperationalError("server closed the connection unexpectedly"))
    unended, other = unended_and_other()

    with pytest.raises(OperationalError):
        worker.run_slice(unended.pk, "one")

    assert other.segments.get().claim == 0
