"""Tests that a living worker does not count as dead once it reports, however late."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from threading import Event, Thread

import pytest
from django.db import OperationalError, connection
from psycopg.errors import LockNotAvailable

from tasks_app import lifecycle
from tasks_app.execution import batches, poison_rows, releasing, scheduling, worker
from tasks_app.execution.releasing import PendingReleases
from tasks_app.execution.runs import Run
from tasks_app.models import Segment, Task, TaskEvent
from tasks_app.models.clock import database_time
from tasks_app.upkeep import sweeping
from tests import engine
from tests.broker import FakeBroker
from tests.servers import wait_until
from tests.unanswered import let_pauses_end

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = ["name,do", "n0,", "n1,", "n2,"]


@pytest.fixture
def workers() -> Iterator[ExitStack]:
    """Keep the runs of several workers open."""
    with ExitStack() as stack:
        yield stack


def claim_expired(workers: ExitStack, name: str) -> Run:
    """Let the claims that there are expire, and another worker take over."""
    Segment.objects.exclude(claimed_until=None).update(claimed_until=database_time(-1))
    let_pauses_end()
    return workers.enter_context(engine.claimed(name))


def try_alone(run: Run) -> None:
    """Do what a worker does up to the moment at which it is cut off, or dies, in a row."""
    assert poison_rows.count_deaths(run.segment) < poison_rows.MAX_DEATHS
    if poison_rows.is_isolated(run.segment):
        poison_rows.mark_isolated_attempt(run.segment)


def segment() -> Segment:
    return Segment.objects.get()


def run_to_the_end(broker: FakeBroker) -> None:
    Segment.objects.update(claimed_until=None)
    for _ in range(4):
        let_pauses_end()
        Task.objects.update(dispatched_at=None)
        sweeping.sweep()
        broker.deliver_all()


def test_a_row_does_not_fail_when_its_workers_were_only_cut_off(
    broker: FakeBroker, workers: ExitStack
) -> None:
    task = engine.start(engine.submit("check", *ROWS))
    before = workers.enter_context(engine.claimed("0"))
    for number in range(1, 2 * poison_rows.MAX_DEATHS + 3):
        try_alone(before)
        after = claim_expired(workers, str(number))
        before.segment.release_or_uncount()
        before = after
    before.segment.release_or_uncount()

    run_to_the_end(broker)

    assert engine.fresh(task).status == "success"
    assert not TaskEvent.objects.filter(kind="row_blamed").exists()


@pytest.mark.parametrize("is_late", [False, True])
def test_a_worker_that_reports_is_not_counted_before_or_after_the_next_attempt(
    is_late: bool, broker: FakeBroker, workers: ExitStack
) -> None:
    engine.start(engine.submit("check", *ROWS))
    workers.enter_context(engine.claimed("dies"))
    living = claim_expired(workers, "lives")
    try_alone(living)
    other = claim_expired(workers, "other")
    if is_late:
        try_alone(other)
    idle_claims = segment().idle_claims

    living.segment.release_or_uncount()
    if not is_late:
        try_alone(other)

    assert segment().suspect_trials == 1  # its own
    assert segment().idle_claims == idle_claims - 1


def test_a_possible_poison_row_gets_a_grace_period_in_which_workers_may_report(
    broker: FakeBroker, workers: ExitStack
) -> None:
    task = engine.start(engine.submit("check", *ROWS))
    workers.enter_context(engine.claimed("cut off"))
    try_alone(claim_expired(workers, "dies"))
    living = claim_expired(workers, "lives")
    try_alone(living)

    went_on = batches.run_next_batch(claim_expired(workers, "late"))
    left = segment()
    living.segment.release_or_uncount()
    run_to_the_end(broker)

    assert not went_on
    assert (left.claimed_until, left.suspect_trials) == (None, poison_rows.MAX_DEATHS)
    assert left.retry_at is not None
    assert engine.fresh(task).status == "success"


def test_a_poison_row_fails_when_no_worker_reports(broker: FakeBroker, workers: ExitStack) -> None:
    task = engine.start(engine.submit("check", *ROWS))
    workers.enter_context(engine.claimed("dies"))
    for name in ("one", "two"):
        try_alone(claim_expired(workers, name))

    run_to_the_end(broker)

    assert engine.fresh(task).status == "partial"
    assert engine.read(task)[1][-1] == "the worker died on this row, 2 times"


def test_the_worker_that_began_a_grace_period_does_not_end_it(
    broker: FakeBroker, workers: ExitStack
) -> None:
    engine.start(engine.submit("check", *ROWS))
    workers.enter_context(engine.claimed("dies"))
    for name in ("one", "two"):
        try_alone(claim_expired(workers, name))
    late = claim_expired(workers, "three")

    batches.run_next_batch(late)
    late.segment.release()

    assert segment().suspect_trials == poison_rows.MAX_DEATHS
    assert segment().retry_at is not None


def test_a_worker_that_was_paused_reports_when_its_claim_was_overtaken(
    broker: FakeBroker, workers: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = engine.start(engine.submit("check", *ROWS))
    commit = batches.commit_outcomes

    def stand_still(*arguments: object) -> None:
        claim_expired(workers, "other")
        commit(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(batches, "commit_outcomes", stand_still)
    worker.run_slice(task.pk, "a message")

    assert segment().idle_claims == 1  # the other one's own


def test_what_was_committed_meanwhile_is_left_as_it_is(
    broker: FakeBroker, workers: ExitStack
) -> None:
    engine.start(engine.submit("check", *ROWS))
    cut_off = workers.enter_context(engine.claimed("cut off"))
    other = claim_expired(workers, "other")
    other.segment.batch_size = 1
    batches.run_next_batch(other)
    Segment.objects.update(idle_claims=2, suspect_row=2, suspect_trials=2)

    cut_off.segment.release_or_uncount()

    assert (segment().idle_claims, segment().suspect_trials) == (2, 2)


def test_a_claim_is_released_as_soon_as_the_database_answers(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(releasing, "PAUSE_SECONDS", 0.05)
    engine.start(engine.submit("check", *ROWS))
    tries: list[int] = []
    pending_releases = PendingReleases()
    with engine.claimed("cut off") as run:

        def release() -> None:
            tries.append(1)
            if len(tries) < 4:
                raise OperationalError("server closed the connection unexpectedly")
            run.segment.release_or_uncount()

        pending_releases.add(release)
        wait_until(lambda: pending_releases._thread is None, seconds=20)

    assert len(tries) == 4
    assert (segment().claimed_until, segment().idle_claims) == (None, 0)


def test_a_process_releases_its_claims_before_it_claims_more(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = PendingReleases()
    monkeypatch.setattr(mine, "add_for_later", mine._left.append)
    monkeypatch.setattr(worker, "pending_releases", mine)
    engine.start(engine.submit("check", *ROWS))
    with engine.claimed("cut off") as run:
        mine.add_for_later(run.segment.release_or_uncount)

    claimed = worker.claim_next("the next message")

    assert claimed is not None
    assert (claimed.idle_claims, claimed.careful_until_row) == (1, 0)


def test_a_process_claims_nothing_while_it_cannot_release(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = PendingReleases()
    monkeypatch.setattr(mine, "add_for_later", mine._left.append)
    monkeypatch.setattr(worker, "pending_releases", mine)
    engine.start(engine.submit("check", *ROWS))

    def away() -> None:
        raise OperationalError("away")

    mine.add_for_later(away)

    assert worker.claim_next("a message") is None
    assert segment().claim == 0


def test_a_claim_that_is_locked_holds_up_neither_others_nor_the_next_claim(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = PendingReleases()
    monkeypatch.setattr(mine, "add_for_later", mine._left.append)
    monkeypatch.setattr(worker, "pending_releases", mine)
    engine.start(engine.submit("check", *ROWS))
    returned: list[str] = []

    def meet_a_lock() -> None:
        raise OperationalError("lock timeout") from LockNotAvailable()

    mine.add_for_later(meet_a_lock)
    mine.add_for_later(lambda: returned.append("the next one"))

    assert worker.claim_next("a message") is not None
    assert returned == ["the next one"]
    assert mine._locked == [meet_a_lock]


def test_a_claim_that_is_locked_is_released_when_the_lock_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(releasing, "PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(releasing, "LOCKED_PAUSE_SECONDS", 0.05)
    tries: list[int] = []
    pending_releases = PendingReleases()

    def release() -> None:
        tries.append(1)
        if len(tries) < 4:
            raise OperationalError("lock timeout") from LockNotAvailable()

    pending_releases.add(release)
    wait_until(lambda: pending_releases._thread is None, seconds=20)

    assert len(tries) == 4


def test_adding_a_release_does_not_wait_for_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(releasing, "PAUSE_SECONDS", 0.01)
    begun, answered = Event(), Event()
    pending_releases = PendingReleases()

    def stand_still() -> None:
        begun.set()
        answered.wait(30)

    pending_releases.add_for_later(stand_still)
    assert begun.wait(30)
    adding = Thread(target=pending_releases.add_for_later, args=(print,), daemon=True)
    adding.start()
    adding.join(10)
    was_added = not adding.is_alive()
    answered.set()

    assert was_added
    wait_until(lambda: pending_releases._thread is None, seconds=20)


@pytest.mark.parametrize("process", [1, 2])
def test_a_process_that_its_parent_ended_does_not_count_as_killed_by_its_row(
    process: int, broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    later: list[object] = []
    monkeypatch.setattr(worker.pending_releases, "add_for_later", later.append)
    engine.start(engine.submit("check", *ROWS))
    claimed = scheduling.claim_next("a message", 20)
    assert claimed is not None
    Segment.objects.update(claimed_by=scheduling.worker_name(1))

    worker.release_cancelled("a message", process)
    (release,) = later
    release()  # type: ignore[operator]

    is_anothers = process != 1  # it works on the same message by now
    assert Segment.objects.held().exists() == is_anothers
    assert segment().idle_claims == int(is_anothers)


def test_the_parent_of_the_pool_is_told_whom_it_has_ended() -> None:
    from tasks_app import tasks

    said: list[tuple[str, int]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker, "release_cancelled", lambda *ended: said.append(ended))
        tasks.run_slice.on_cancelled("an id", 4711)

    assert said == [("an id", 4711)]


def test_a_process_that_ends_waits_for_its_releases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(releasing, "PAUSE_SECONDS", 0.2)
    returned: list[int] = []
    pending_releases = PendingReleases()
    pending_releases.add_for_later(lambda: returned.append(1))

    pending_releases.wait()

    assert returned == [1]


def test_a_stop_is_no_death(broker: FakeBroker, workers: ExitStack) -> None:
    task = engine.start(engine.submit("check", *ROWS))
    stopped = workers.enter_context(engine.claimed("a message"))
    lifecycle.stop(task, engine.TESTER)

    stopped.segment.release_or_uncount()

    assert segment().idle_claims == 0
    assert not connection.in_atomic_block
