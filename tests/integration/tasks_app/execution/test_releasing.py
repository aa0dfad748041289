"""Tests that claims are released, however late, when the database could not be reached."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from threading import Event, Thread

import pytest
from django.db import OperationalError
from psycopg.errors import LockNotAvailable

from tasks_app.execution import claiming, releasing, worker
from tasks_app.execution.releasing import PendingReleases
from tasks_app.models import Segment
from tests import engine
from tests.broker import FakeBroker
from tests.servers import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


ROWS = ["name,do", "n0,", "n1,", "n2,"]


@pytest.fixture
def workers() -> Iterator[ExitStack]:
    """Keep the runs of several workers open."""
    with ExitStack() as stack:
        yield stack


def segment() -> Segment:
    return Segment.objects.get()


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
    claimed = claiming.claim_next("a message", 20)
    assert claimed is not None
    Segment.objects.update(claimed_by=claiming.worker_name(1))

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
