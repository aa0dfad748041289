"""Tests that an action keeps its rate limit however many workers there are."""

import pytest

from tasks_app.execution import rate_limit
from tasks_app.models import ActionPace
from tasks_app.models.clock import database_time
from tests import plugins
from tests.broker import FakeBroker
from tests.engine import fresh, start, submit

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


def test_a_paced_task_runs_to_its_end(broker: FakeBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins.Check, "rows_per_second", 200.0)
    task = start(submit("check", "name,do", *(f"n{index}," for index in range(120))))

    broker.deliver_all()

    assert fresh(task).success_count == 120
