"""Tests which rows staff can decide about and when, and the refusals of late decisions."""

from __future__ import annotations

from threading import Barrier, Thread

import pytest
from django.db import connection

from categories.running import calls
from tasks_app import lifecycle
from tasks_app.errors import CannotBeSentAgain, TaskHasNotEnded, TaskNotFound
from tasks_app.execution import assembly, batches, external_outcomes, poison_rows
from tasks_app.indeterminate import decisions
from tasks_app.models import Decision, EffectState, Segment, TaskEvent
from tasks_app.models.clock import database_time
from tests import engine, plugins
from tests import settling as rows
from tests.broker import FakeBroker

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_decision_is_stored_and_nothing_else_changes_yet(broker: FakeBroker) -> None:
    task = rows.ended(broker, "", "crash")
    before = engine.read(task), rows.counts(task), task.revision

    verdict = rows.decide(task, "send_again", 2, note="they know of nothing")

    effect = rows.effect(task, 2)
    assert verdict.decided == [2]
    assert (effect.state, effect.decision) == ("decided", "send_again")
    assert (effect.decided_by, effect.note) == ("staff:anna", "they know of nothing")
    assert effect.decided_at is not None
    assert (engine.read(task), rows.counts(task), engine.fresh(task).revision) == before
    assert broker.queue == [("tasks_app.settle_rows", (task.pk,))]


def test_a_second_decision_is_refused_with_the_name_of_the_first_person(broker: FakeBroker) -> None:
    task = rows.ended(broker, "", "crash")
    rows.decide(task, "done", 2)

    at_once = rows.decide(task, "not_done", 2)
    broker.deliver_all()
    later = rows.decide(task, "not_done", 2)

    assert at_once.refused == later.refused == {2: "staff:anna decided already: Done"}
    assert rows.counts(task) == (2, 0, 0)
    assert TaskEvent.objects.filter(task_id=task.pk, kind="decided").count() == 1


def test_of_two_concurrent_decisions_one_counts(broker: FakeBroker) -> None:
    task = rows.ended(broker, "", "crash")
    ready = Barrier(2)
    verdicts: list[decisions.Verdict] = []

    def decide(decision: str) -> None:
        ready.wait(10)
        verdicts.append(rows.decide(task, decision, 2))
        connection.close()

    people = [Thread(target=decide, args=[name]) for name in ("done", "not_done")]
    for person in people:
        person.start()
    for person in people:
        person.join(20)

    assert sorted(len(verdict.decided) for verdict in verdicts) == [0, 1]
    assert TaskEvent.objects.filter(task_id=task.pk, kind="decided").count() == 1


def test_one_refused_row_does_not_keep_the_others_back(broker: FakeBroker) -> None:
    task = rows.ended(broker, "crash", "", "crash")

    verdict = rows.decide(task, "done", 1, 2, 3, 4)

    assert verdict.decided == [1, 3]
    assert verdict.refused == {2: "its outcome is known", 4: "it is not indeterminate"}


def test_rows_of_a_task_that_has_not_ended_wait(broker: FakeBroker) -> None:
    task = engine.start(engine.submit("send", "name,do", "n1,crash", "n2,"))
    with engine.claimed("one") as run:
        batches.run_next_batch(run)
    with pytest.raises(TaskHasNotEnded) as running:
        rows.decide(task, "done", 1)
    lifecycle.stop(task, engine.TESTER)
    with pytest.raises(TaskHasNotEnded) as not_assembled:
        rows.decide(task, "done", 1)
    broker.deliver_all()

    verdict = rows.decide(task, "done", 1)

    assert "wait for its end" in str(running.value)
    assert "wait for its end" in str(not_assembled.value)
    assert verdict.decided == [1]


def test_a_removed_task_is_not_there(broker: FakeBroker) -> None:
    task = rows.ended(broker, "", "crash")
    lifecycle.remove(task, engine.TESTER)

    with pytest.raises(TaskNotFound):
        rows.decide(task, "done", 2)


def test_a_row_of_a_changed_plugin_can_be_settled_but_not_sent_again(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = rows.ended(broker, "", "crash")
    monkeypatch.setattr(plugins.Trial, "version", "2")

    with pytest.raises(CannotBeSentAgain, match="ran under version 1 of trial, installed is 2"):
        rows.decide(task, "send_again", 2)

    assert rows.settle(broker, task, "done", 2).success_count == 2


def test_a_row_without_a_line_position_is_refused_with_the_reason(broker: FakeBroker) -> None:
    task = rows.ended(broker, "", "crash")
    task.effects.update(line_offset=None)

    verdict = rows.decide(task, "done", 2)

    assert verdict.refused == {
        2: "its place in the files is not known: it was recorded by an older version"
    }


def test_a_note_has_a_maximum_length(broker: FakeBroker) -> None:
    task = rows.ended(broker, "", "crash")

    with pytest.raises(ValueError, match="at most 1000 characters"):
        decisions.decide(task, [2], Decision.DONE, rows.STAFF, "x" * 1001)


@pytest.mark.parametrize("is_gone", [False, True])
def test_a_row_of_a_stopped_task_can_be_settled_even_when_its_action_is_gone(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, is_gone: bool
) -> None:
    """The action was removed after the row may have been sent; out.csv has the row anyway."""
    task = engine.start(engine.submit("send", "name,do", "n1,", "n2,", "n3,"))
    with engine.claimed("one") as run, monkeypatch.context() as dying:
        batches.run_next_batch(run)
        dying.setattr(external_outcomes, "record", lambda *_, **__: None)
        batches.run_next_batch(run)
    lifecycle.stop(task, engine.TESTER)
    Segment.objects.update(claimed_until=database_time(-1))
    if is_gone:
        monkeypatch.setattr(plugins.Trial, "actions", [])
    assembly.assemble(task.pk)
    output = engine.read(task)
    left = engine.read(task, "unprocessed.csv")
    counts = rows.counts(task)

    rows.settle(broker, task, "not_done", 2)

    assert output[0] == ["name", "do", "key", "error"]
    assert output[2] == [
        "n2", "", "",
        f"indeterminate: {calls.DIED}; it was not repeated",
    ]  # fmt: skip
    assert (left, counts) == ([["name", "do"], ["n3", ""]], (1, 1, 1))
    assert rows.effect(task, 2).state == EffectState.DONE
    assert engine.read(task, "failed.csv") == [["name", "do"], ["n2", ""]]
    rows.assert_counts_equal_files(task)


def test_a_row_that_kills_its_worker_before_it_reaches_the_journal_can_be_settled(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poison_rows, "GRACE_SECONDS", -1)
    task = engine.start(engine.submit("send", "name,do", "n1,"))
    for _ in range(6):
        Segment.objects.update(claimed_until=None)
        with engine.claimed("a worker that will die") as dying:
            if batches.is_isolated(dying.segment):
                batches.mark_isolated_attempt(dying.segment)
    Segment.objects.update(claimed_until=None)
    rows.recover(broker)
    before = rows.counts(task), list(plugins.calls)

    rows.settle(broker, task, "send_again", 1)

    assert before == ((0, 1, 1), [])
    assert rows.counts(task) == (1, 0, 0)
    assert plugins.calls == [f"n1 {rows.effect(task, 1).key}"]
