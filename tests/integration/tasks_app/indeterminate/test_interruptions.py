"""Tests that settling is correct when it is interrupted, repeated, lost or overtaken."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from categories.running import calls
from tasks_app import lifecycle
from tasks_app.errors import ClaimLost, StorageUnavailable
from tasks_app.files import storage
from tasks_app.indeterminate import answers, carrying_out, settling
from tasks_app.models import EffectState, Task, TaskCSV, TaskEvent
from tests import engine, plugins
from tests import settling as rows
from tests.broker import FakeBroker

pytestmark = pytest.mark.django_db(transaction=True)

PLACES = [
    (carrying_out, "claim"),
    (answers, "answer"),
    (answers, "journal"),
    (calls, "call"),
    (storage, "reserve"),
    (storage, "save"),
    (settling, "swap_files"),
    (settling, "swap"),
    (settling, "settle"),
    (carrying_out, "release"),
]


DEATHS = [("send", places) for places in range(35)]
DEATHS += [("send_again", places) for places in range(4, 18)]


class Killed(BaseException):
    """Kills the worker: nothing after this line runs."""


def kill_at(patch: pytest.MonkeyPatch, places: int) -> None:
    """Make the worker die at the n-th of these places: before or after one of the steps."""
    left = [places]

    def pass_by() -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Killed

    def fuse(function: Callable[..., Any]) -> Callable[..., Any]:
        def fused(*arguments: Any, **options: Any) -> Any:
            pass_by()
            answer = function(*arguments, **options)
            pass_by()
            return answer

        return fused

    for owner, name in PLACES:
        patch.setattr(owner, name, fuse(getattr(owner, name)))


def obey_nothing(_: str | None) -> None:
    """Make all rows succeed, whatever their cells say."""


@pytest.mark.parametrize(
    ("action", "places"),
    [("send", places) for places in range(35)]
    + [("send_again", places) for places in range(4, 18)],
)
def test_a_worker_that_dies_anywhere_leaves_nothing_undone_and_nothing_twice(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, action: str, places: int
) -> None:
    task = make_unknown(broker, monkeypatch, action)
    rows.decide(task, "done", 1)
    rows.decide(task, "not_done", 3)
    rows.decide(task, "send_again", 4)
    plugins.calls.clear()
    monkeypatch.setattr(plugins, "obey", obey_nothing)

    with monkeypatch.context() as dying, suppress(Killed):
        kill_at(dying, places)
        broker.deliver()
    rows.assert_counts_equal_files(task)
    rows.recover(broker)

    rows.assert_counts_equal_files(task)
    is_known = rows.effect(task, 4).state == EffectState.DONE
    assert rows.counts(task) == ((3, 1, 0) if is_known else (2, 2, 1))
    assert len(plugins.calls) <= 1
    assert not Task.objects.exclude(assembly_until=None).exists()
    settled = TaskEvent.objects.filter(task_id=task.pk, kind="settled")
    assert sorted(event.detail["row"] for event in settled) == [1, 3, 4]


def make_unknown(broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, action: str) -> Task:
    """Return an ended task of four rows of which all but the second are indeterminate."""
    with monkeypatch.context() as impatient:
        impatient.setattr(plugins.SendAgain, "max_attempts", 1)
        return rows.ended(broker, "crash", "", "crash", "crash", action=action)


@pytest.mark.parametrize("action", ["send", "send_again"])
def test_a_row_whose_worker_died_when_it_was_sent_again_is_not_repeated(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    task = make_unknown(broker, monkeypatch, action)
    plugins.calls.clear()
    rows.decide(task, "send_again", 3)
    with monkeypatch.context() as dying, suppress(Killed):
        dying.setattr(plugins, "obey", die)
        broker.deliver()
    assert rows.effect(task, 3).state == EffectState.RESENT

    rows.recover(broker)

    assert len(plugins.calls) == 1
    assert rows.errors(task)[2] == (
        "indeterminate: a worker died, or lost the database, while it was being sent again;"
        " it was not repeated"
    )
    assert rows.effect(task, 3).state == EffectState.INDETERMINATE
    assert rows.counts(task) == (1, 3, 3)
    rows.assert_counts_equal_files(task)


def die(_: str | None) -> None:
    raise Killed


@pytest.mark.parametrize("decision", ["done", "not_done", "send_again"])
def test_a_decision_whose_message_was_lost_is_found_by_the_sweeper(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, decision: str
) -> None:
    task = rows.ended(broker, "", "crash")
    monkeypatch.setattr(plugins, "obey", obey_nothing)
    rows.decide(task, decision, 2)

    rows.recover(broker)

    assert rows.effect(task, 2).state == EffectState.DONE
    rows.assert_counts_equal_files(task)


def test_copies_of_a_message_change_nothing(broker: FakeBroker) -> None:
    task = rows.ended(broker, "", "crash")
    rows.decide(task, "done", 2)
    broker.queue *= 3

    broker.deliver_all()

    assert rows.counts(task) == (2, 0, 0)
    assert TaskEvent.objects.filter(task_id=task.pk, kind="settled").count() == 1


def test_while_somebody_is_at_it_another_worker_does_nothing(broker: FakeBroker) -> None:
    task = rows.ended(broker, "", "crash")
    rows.decide(task, "done", 2)
    assert carrying_out.claim(task.pk)

    broker.deliver_all()

    assert rows.effect(task, 2).state == EffectState.DECIDED


def answer(task: Task) -> None:
    answers.answer(task, rows.effect(task, 2))


def journal(task: Task) -> None:
    answers.journal(task, rows.effect(task, 3), seconds=1)


@pytest.mark.parametrize("step", [answer, journal])
def test_a_worker_that_was_overtaken_finds_no_answers(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, step: Callable[[Task], None]
) -> None:
    task, paused = overtake(broker, monkeypatch)
    before = list(task.effects.values())

    with pytest.raises(ClaimLost):
        step(paused)

    assert list(task.effects.values()) == before


def test_a_worker_that_was_overtaken_publishes_nothing(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, paused = overtake(broker, monkeypatch)
    effect = rows.effect(task, 2)
    written = settling.write_output(paused, [])

    with pytest.raises(ClaimLost):
        settling.swap_files(paused, [effect], [written])

    assert rows.counts(task) == (2, 1, 0)
    rows.assert_counts_equal_files(task)


def overtake(broker: FakeBroker, monkeypatch: pytest.MonkeyPatch) -> tuple[Task, Task]:
    """Return a task whose rows another worker settled, and the paused worker's copy."""
    task = rows.ended(broker, "", "crash", "crash")
    rows.decide(task, "not_done", 2)
    rows.decide(task, "send_again", 3)
    monkeypatch.setattr(plugins, "obey", obey_nothing)
    paused = carrying_out.claim(task.pk)
    assert paused is not None
    rows.let_time_pass()
    broker.deliver_all()
    return task, paused


def test_a_storage_that_refuses_delays_the_settling_and_nothing_else(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = rows.ended(broker, "", "crash")
    rows.decide(task, "send_again", 2)
    monkeypatch.setattr(plugins, "obey", obey_nothing)
    with monkeypatch.context() as outage:
        outage.setattr(storage, "save", refuse)
        with pytest.raises(StorageUnavailable):
            broker.deliver()
    rows.assert_counts_equal_files(task)

    rows.recover(broker)

    assert len(plugins.calls) == 3  # the answer was kept: it was not sent a third time
    assert rows.counts(task) == (2, 0, 0)
    rows.assert_counts_equal_files(task)


def refuse(*_: object, **__: object) -> None:
    raise StorageUnavailable


def test_a_task_that_is_removed_meanwhile_stays_removed(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = rows.ended(broker, "", "crash")
    rows.decide(task, "done", 2)
    publish = settling.swap_files

    def remove_first(*arguments: Any) -> None:
        lifecycle.remove(engine.fresh(task), engine.TESTER)
        publish(*arguments)

    monkeypatch.setattr(settling, "swap_files", remove_first)

    broker.deliver_all()
    rows.recover(broker)

    assert not Task.objects.exists()
    assert not TaskCSV.objects.exclude(task=None).exists()


def test_a_row_cannot_be_sent_again_when_its_action_has_gone_meanwhile(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = rows.ended(broker, "", "crash")
    rows.decide(task, "send_again", 2)
    monkeypatch.setattr(plugins.Trial, "version", "2")

    broker.deliver_all()

    effect = rows.effect(task, 2)
    assert (effect.state, effect.decision) == (EffectState.INDETERMINATE, "")
    settled = TaskEvent.objects.filter(task_id=task.pk, kind="settled").get()
    assert settled.detail["why"].startswith("not carried out: the task ran under version 1")
    assert len(plugins.calls) == 2
    assert rows.settle(broker, task, "done", 2).success_count == 2


def test_a_decision_that_cannot_be_carried_out_does_not_hold_up_the_others(
    broker: FakeBroker,
) -> None:
    task = rows.ended(broker, "crash", "crash")
    task.effects.update(input_line=None)  # as of rows that an older version sent
    storage.delete(task.csvs.get(name="in.csv").key)  # "not done" needs the input's line

    rows.decide(task, "not_done", 1)
    rows.settle(broker, task, "done", 2)

    assert (rows.effect(task, 1).state, rows.effect(task, 1).decision) == ("indeterminate", "")
    assert rows.counts(task) == (1, 1, 1)
    refused = TaskEvent.objects.filter(task_id=task.pk, kind="settled").order_by("id").first()
    assert refused is not None
    assert refused.detail["why"].startswith("not carried out: ")
