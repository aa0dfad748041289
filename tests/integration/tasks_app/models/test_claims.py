"""Tests that a row has one holder at a time, and that only the newest claim can write."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection, models
from django.utils import timezone

from tasks_app.errors import ClaimLost
from tasks_app.models import Segment, Task
from tasks_app.models.claims import ClaimQuerySet
from tasks_app.models.clock import read_database_clock
from tests.factories import SegmentFactory, TaskFactory

Read = Callable[[], Any]

pytestmark = pytest.mark.django_db(transaction=True)


def rows(model: type[models.Model]) -> ClaimQuerySet[Any]:
    found = model._default_manager.all()
    assert isinstance(found, ClaimQuerySet)
    return found


@pytest.fixture(params=[SegmentFactory, TaskFactory], ids=["segment", "task"])
def read(request: pytest.FixtureRequest) -> Read:
    """Return a function that reads a worker's copy of a claimable row."""
    row = request.param.create()
    return lambda: rows(type(row)).get(pk=row.pk)


def take(copy: Any, seconds: float = 20) -> bool:
    return rows(type(copy)).take(copy, seconds)


def number(copy: Any) -> int:
    return int(getattr(copy, rows(type(copy)).claim.number))


def until(copy: Any) -> Any:
    return getattr(copy, rows(type(copy)).claim.until)


def seconds_left(copy: Any) -> float:
    return float((until(copy) - read_database_clock()).total_seconds())


def let_expire(copy: Any) -> None:
    table = rows(type(copy))
    table.filter(pk=copy.pk).update(**table.claim.renewed(-1))


def overtaken(read: Read) -> Any:
    """Return the copy of a holder whose claim expired and was overtaken."""
    paused = read()
    assert take(paused)
    let_expire(paused)
    assert take(read())
    return paused


def test_a_free_row_is_taken_and_its_holder_knows_its_number(read: Read) -> None:
    copy = read()

    assert take(copy)

    assert (number(copy), number(read())) == (1, 1)
    assert 15 < seconds_left(read()) <= 20


def test_only_one_of_two_readers_of_a_row_claims_it(read: Read) -> None:
    first, second = read(), read()

    assert [take(first), take(second)] == [True, False]

    assert [number(first), number(second), number(read())] == [1, 0, 1]


def test_a_row_that_is_held_is_not_taken(read: Read) -> None:
    assert take(read())

    assert not take(read())


def test_a_row_that_was_taken_since_it_was_read_is_not_taken_though_it_is_free(read: Read) -> None:
    late, other = read(), read()
    take(other)
    rows(type(other)).release(other)

    assert not take(late)


@pytest.mark.postgresql
def test_only_one_of_many_concurrent_claims_succeeds(read: Read) -> None:
    copies = [read() for _ in range(8)]
    together = Barrier(len(copies))
    taken: list[bool] = []

    def work(copy: Any) -> None:
        together.wait()
        taken.append(take(copy))
        connection.close()

    threads = [Thread(target=work, args=[copy]) for copy in copies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(taken) == [False] * 7 + [True]
    assert number(read()) == 1


def test_an_expired_claim_is_taken_under_the_next_number(read: Read) -> None:
    paused = overtaken(read)

    assert (number(paused), number(read())) == (1, 2)


def test_claims_expire_by_the_databases_clock(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    take(read())
    an_hour_later = timezone.now() + timedelta(hours=1)
    monkeypatch.setattr("django.utils.timezone.now", lambda: an_hour_later)
    table = rows(type(read()))

    assert not take(read())
    assert (table.free().count(), table.held().count()) == (0, 1)


def test_a_row_is_either_free_or_held(read: Read) -> None:
    table = rows(type(read()))
    states = []

    for change in (table.claim.released(), table.claim.renewed(-1), table.claim.renewed(20)):
        table.update(**change)
        states.append((table.free().count(), table.held().count()))

    assert states == [(1, 0), (1, 0), (0, 1)]


def test_only_rows_of_the_selection_are_taken(read: Read) -> None:
    copy = read()

    assert not rows(type(copy)).none().take(copy, 20)
    assert not rows(type(copy)).exclude(pk=copy.pk).take(copy, 20)
    assert number(read()) == 0


def test_an_expired_claim_can_be_renewed_until_it_is_overtaken(read: Read) -> None:
    copy = read()
    take(copy)
    let_expire(copy)

    assert rows(type(copy)).renew(copy, 60)

    assert 50 < seconds_left(read()) <= 60


def test_a_claim_that_was_overtaken_is_neither_renewed_nor_held(read: Read) -> None:
    paused = overtaken(read)
    before = until(read())

    assert not rows(type(paused)).renew(paused, 60)
    with pytest.raises(ClaimLost):
        rows(type(paused)).hold(paused, 60)

    assert until(read()) == before


def test_a_claim_is_held_while_it_is_the_newest(read: Read) -> None:
    copy = read()
    take(copy)

    rows(type(copy)).hold(copy, 60)

    assert seconds_left(read()) > 50


def test_a_released_row_is_free_at_once(read: Read) -> None:
    copy = read()
    take(copy)

    assert rows(type(copy)).release(copy)

    assert until(read()) is None
    assert take(read())


def test_a_claim_that_was_overtaken_is_not_released(read: Read) -> None:
    paused = overtaken(read)

    assert not rows(type(paused)).release(paused)

    assert not take(read())


def test_the_fence_lets_only_the_newest_holder_write(read: Read) -> None:
    paused = overtaken(read)
    newest = read()
    table = rows(type(newest))

    assert list(table.fence(newest)) == [newest]
    assert not table.fence(paused).exists()


def test_a_revoked_claim_is_overtaken_and_its_row_free(read: Read) -> None:
    holder = read()
    take(holder)

    assert rows(type(holder)).filter(pk=holder.pk).revoke() == 1

    assert not rows(type(holder)).renew(holder, 20)
    assert take(read())


def test_changes_by_a_revocation_and_a_release_are_fenced() -> None:
    segment = SegmentFactory.create()
    Segment.objects.take(segment, 20)

    Segment.objects.fence(segment).revoke(batch_size=7)
    Segment.objects.release(segment, batch_size=9)

    assert Segment.objects.get().batch_size == 7


def test_a_claim_on_one_row_does_not_affect_others() -> None:
    held, other = TaskFactory.create(), TaskFactory.create()
    Task.objects.take(held, 20)

    assert Task.objects.take(other, 20)

    Task.objects.release(other)
    assert [task.pk for task in Task.objects.held()] == [held.pk]
