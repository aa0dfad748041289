"""Tests that an action keeps its rate limits however many workers there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from categories.contract import RetryLater
from tasks_app.execution import external, rate_limit
from tasks_app.models import ActionPace, Segment
from tasks_app.models.clock import database_time
from tests import plugins
from tests import settling as rows
from tests.broker import FakeBroker
from tests.engine import claimed, fresh, start, submit
from tests.factories import AccountFactory
from tests.unanswered import answering, run_through

pytestmark = pytest.mark.django_db(transaction=True)


def test_reservations_queue_up_on_one_clock() -> None:
    waits = [rate_limit.reserve("a/b", 5, 10) for _ in range(4)]

    assert waits[0] == 0
    assert waits[1] == pytest.approx(0.5, abs=0.2)
    assert waits[2] == pytest.approx(1.0, abs=0.2) or waits[2] is None
    assert waits[3] is None


def test_unused_time_is_not_saved_up() -> None:
    rate_limit.reserve("a/b", 1, 10)
    ActionPace.objects.update(free_at=database_time(-3600))

    first, second = rate_limit.reserve("a/b", 5, 10), rate_limit.reserve("a/b", 5, 10)

    assert first == 0
    assert second == pytest.approx(0.5, abs=0.2)


@pytest.mark.parametrize("limit", ["rows_per_second", "account_rows_per_second"])
@pytest.mark.parametrize("action", ["check", "send_many"])
def test_a_paced_task_runs_to_its_end(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, action: str, limit: str
) -> None:
    for each in (plugins.Check, plugins.SendMany):
        monkeypatch.setattr(each, limit, 200.0)
    task = start(submit(action, "name,do", *(f"n{index}," for index in range(60))))

    broker.deliver_all()

    assert fresh(task).success_count == 60


@pytest.fixture
def reserved(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[int]]:
    """Note what is reserved, and reserve it at once."""
    found: dict[str, list[int]] = {}

    def note(name: str, row_count: int, _rows_per_second: float) -> float:
        found.setdefault(name, []).append(row_count)
        return 0.0

    monkeypatch.setattr(rate_limit, "reserve", note)
    return found


@pytest.mark.parametrize("action", ["send_again", "send_many_again"])
def test_every_call_counts_repetitions_included(
    broker: FakeBroker,
    monkeypatch: pytest.MonkeyPatch,
    reserved: dict[str, list[int]],
    short_pauses: None,
    action: str,
) -> None:
    monkeypatch.setattr(plugins.Send, "rows_per_second", 100.0)
    monkeypatch.setattr(plugins.Send, "account_rows_per_second", 50.0)
    answering(monkeypatch, ConnectionError("cut"), RetryLater(0), None)

    task = run_through(broker, rows.ended(broker, *["", "lost"] * 5, action=action))

    assert rows.counts(task) == (10, 0, 0)
    assert len(plugins.calls) == 12
    name = f"trial/{action}"
    assert {pace: sum(counts) for pace, counts in reserved.items()} == {
        name: 12,
        f"{name}/{task.account_id}": 12,
    }


def test_rows_that_are_not_sent_take_no_time(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, reserved: dict[str, list[int]]
) -> None:
    monkeypatch.setattr(plugins.Send, "rows_per_second", 100.0)
    task = start(submit("send_many", "name,do,number", *["a,,", "x,,no", "b,,", "x,,no"]))

    broker.deliver_all()

    assert fresh(task).is_final
    assert reserved == {"trial/send_many": [2]}


def test_a_group_has_at_most_the_rows_of_one_second(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, reserved: dict[str, list[int]]
) -> None:
    monkeypatch.setattr(plugins.Send, "account_rows_per_second", 3.0)
    monkeypatch.setattr(external, "spread_of", lambda _: 0.0)

    task = rows.ended(broker, *[""] * 8, action="send_many")

    assert reserved == {f"trial/send_many/{task.account_id}": [3, 3, 2]}


def test_the_calls_of_a_group_are_spread_over_the_time_that_is_reserved(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugins.Send, "rows_per_second", 40.0)
    delays: list[list[float]] = []
    make = external.callers.Callers.call

    def note(self: Any, group: Sequence[Any]) -> Any:
        delays.append([call.delay for call in group])
        return make(self, group)

    monkeypatch.setattr(external.callers.Callers, "call", note)

    rows.ended(broker, *[""] * 8, action="send_many")

    assert delays == [[0, 0.025, 0.05, pytest.approx(0.075)]] * 2


def test_an_account_at_its_limit_takes_nothing_from_the_others(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugins.Send, "rows_per_second", 1_000.0)
    monkeypatch.setattr(plugins.Send, "account_rows_per_second", 1_000.0)
    busy, other = AccountFactory.create(), AccountFactory.create()
    backlog = start(submit("send_many", "name", *[f"n{row}" for row in range(8)], account=busy))
    ActionPace.objects.create(action=f"trial/send_many/{busy.pk}", free_at=database_time(1.0))
    rate_limit.reserve(f"trial/send_many/{busy.pk}", 8, 4.0)  # its queue is full now
    with claimed("of the backlog") as run:
        assert not external.run_group(run)
        run.segment.release()

    assert not ActionPace.objects.filter(action="trial/send_many").exists()
    assert not Segment.objects.claimable().exists()
    task = start(submit("send_many", "name", *[f"n{row}" for row in range(8)], account=other))
    broker.deliver_all()
    assert fresh(task).status == "success"
    assert fresh(backlog).success_count == 0
