"""Tests that external rows are sent under a stable key, and journaled."""

import pytest

from categories.running import calls
from tasks_app.execution import batches, external_journal, external_outcomes
from tasks_app.files import task_files
from tasks_app.models import Segment, Task
from tests import engine, plugins
from tests.broker import FakeBroker

pytestmark = pytest.mark.django_db(transaction=True)


def names(*outcomes: str) -> list[str]:
    return ["name,do", *(f"n{index},{outcome}" for index, outcome in enumerate(outcomes))]


def run(action: str, *lines: str, broker: FakeBroker) -> Task:
    task = engine.start(engine.submit(action, *lines))
    broker.deliver_all()
    return engine.fresh(task)


def test_an_external_answer_that_cannot_be_written_is_indeterminate(broker: FakeBroker) -> None:
    task = run("send_nonsense", "name", "n0", "n1", broker=broker)

    assert plugins.calls == ["n0", "n1"]
    assert (task.status, task.failure_count) == ("failure", 2)
    assert "it was sent" in engine.read(task)[1][-1]
    assert task_files.csv_names(task) == ["in.csv", "out.csv"]


def test_external_rows_carry_a_stable_key(broker: FakeBroker) -> None:
    task = run("send", *names("", ""), broker=broker)

    keys = [row[2] for row in engine.read(task)[1:]]
    assert keys == [external_journal.effect_key(task.pk, number) for number in (1, 2)]
    assert len(set(keys)) == 2


@pytest.mark.parametrize(
    ("action", "calls", "error"),
    [("send", 1, f"indeterminate: {calls.DIED}; it was not repeated"),
     ("send_again", 2, "")],
)  # fmt: skip
def test_an_external_row_whose_worker_died_is_repeated_only_if_idempotent(
    action: str, calls: int, error: str, broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = engine.start(engine.submit(action, "name", "n0"))
    with engine.claimed("one") as dying, monkeypatch.context() as cut:
        cut.setattr(external_outcomes, "record", lambda *_, **__: None)
        batches.run_next_batch(dying)

    Segment.objects.update(claimed_until=None)
    broker.deliver_all()

    assert engine.read(task)[1][-1] == error
    assert len(plugins.calls) == calls
    assert len(set(plugins.calls)) == 1
