"""Tests that a living worker does not count as dead once it reports, however late."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from django.db import connection

from tasks_app import lifecycle
from tasks_app.execution import batches, poison_rows, worker
from tasks_app.execution.runs import Run
from tasks_app.models import Segment, Task, TaskEvent
from tasks_app.models.clock import database_time
from tasks_app.upkeep import sweeping
from tests import engine
from tests.broker import FakeBroker
from tests.unanswered import let_pauses_end

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = ["name,do", "n0,", "n1,", "n2,"]


@pytest.fixture
def workers() -> Iterator[ExitStack]:
    """Keep the runs of several workers open."""
    with ExitStack() as stack:
        yield stack


def claim_expired(workers: ExitStack, name: str) -> Run:
    """Expire all claims and let another worker take over."""
    Segment.objects.exclude(claimed_until=None).update(claimed_until=database_time(-1))
    let_pauses_end()
    return workers.enter_context(engine.claimed(name))


def try_alone(run: Run) -> None:
    """Do what a worker does until it is cut off, or dies, in a row."""
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


def test_a_stop_is_no_death(broker: FakeBroker, workers: ExitStack) -> None:
    task = engine.start(engine.submit("check", *ROWS))
    stopped = workers.enter_context(engine.claimed("a message"))
    lifecycle.stop(task, engine.TESTER)

    stopped.segment.release_or_uncount()

    assert segment().idle_claims == 0
    assert not connection.in_atomic_block
