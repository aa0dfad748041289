"""Tests that the output is complete and in order, and exists before the final status."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from tasks_app import lifecycle
from tasks_app.errors import ClaimLost
from tasks_app.execution import assembly, batches, external_journal, external_outcomes
from tasks_app.files import task_files
from tasks_app.models import Part, Segment, Task
from tasks_app.models.clock import database_time
from tasks_app.queue import dispatch
from tests import engine
from tests.broker import FakeBroker

pytestmark = pytest.mark.django_db(transaction=True)
LINES = ["name,do", *(f"n{index},{'fail' if index % 7 == 0 else ''}" for index in range(300))]


def ready_for_assembly(broker: FakeBroker) -> Task:
    """Return a task of which everything but the assembly is done."""
    task = engine.start(engine.submit("check", *LINES))
    while Task.objects.filter(pk=task.pk, ending=None).exists():
        broker.deliver()
    return engine.fresh(task)


def test_a_task_is_executing_until_its_output_can_be_downloaded(broker: FakeBroker) -> None:
    task = ready_for_assembly(broker)

    before = task.status, task_files.csv_names(task)
    assembly.assemble(task.pk)

    task = engine.fresh(task)
    assert before == ("executing", ["in.csv"])
    assert (task.status, task_files.csv_names(task)) == (
        "partial",
        ["in.csv", "out.csv", "failed.csv"],
    )


def test_files_know_their_size_digest_and_rows(broker: FakeBroker) -> None:
    task = ready_for_assembly(broker)

    assembly.assemble(task.pk)

    for name, rows in (("out.csv", 300), ("failed.csv", 43)):
        csv = task.csvs.get(name=name)
        content = b"".join(task_files.open_file(engine.fresh(task), name).read())
        assert csv.row_count == rows == content.count(b"\n") - 1
        assert csv.size_bytes == len(content)
        assert csv.sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("is_small", [True, False])
def test_a_small_output_is_assembled_at_once_and_a_larger_one_by_a_message(
    is_small: bool, broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = ready_for_assembly(broker)
    monkeypatch.setattr(assembly, "SMALL_BYTES", task.output_bytes - (0 if is_small else 1))
    broker.queue.clear()

    assembly.assemble_soon(task.pk)

    asked = [] if is_small else [(dispatch.ASSEMBLE_OUTPUT, (task.pk,))]
    assert (engine.fresh(task).is_assembled, broker.queue) == (is_small, asked)


def test_of_two_assemblers_one_works_and_the_other_does_nothing(broker: FakeBroker) -> None:
    task = ready_for_assembly(broker)
    assert assembly.claim(task)

    assembly.assemble(task.pk)

    task = engine.fresh(task)
    assert (task.status, task.assembly_claim) == ("executing", 1)


def test_an_assembler_that_was_overtaken_publishes_nothing(broker: FakeBroker) -> None:
    task = ready_for_assembly(broker)
    paused = engine.fresh(task)
    assert assembly.claim(paused)
    written = [assembly.write_file(paused, task_files.CSVName.OUTPUT)]
    Task.objects.update(assembly_until=database_time(-1))
    assembly.assemble(task.pk)

    with pytest.raises(ClaimLost):
        assembly.hand_over(paused, written)

    assert task.csvs.filter(name="out.csv").count() == 1
    assert engine.fresh(task).status == "partial"


def test_an_assembler_that_stands_still_right_after_its_claim_does_not_have_its_successors(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = ready_for_assembly(broker)
    read = Task.refresh_from_db

    def read_late(paused: Task, *arguments: Any, **options: Any) -> None:
        monkeypatch.undo()
        Task.objects.update(assembly_until=database_time(-1))
        assert assembly.claim(engine.fresh(task))
        read(paused, *arguments, **options)

    monkeypatch.setattr(Task, "refresh_from_db", read_late)

    assert not assembly.claim(task)


def test_an_assembly_that_is_not_due_leaves_rows_that_were_sent_to_the_next_worker(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = engine.start(engine.submit("send_again", "name", "n0"))
    with engine.claimed("one") as dying, monkeypatch.context() as cut:
        cut.setattr(external_outcomes, "record", lambda *_, **__: None)
        batches.run_next_batch(dying)
    Segment.objects.update(claimed_until=None)

    assembly.assemble(task.pk)
    broker.deliver_all()

    assert (engine.fresh(task).status, engine.read(task)[1][-1]) == ("success", "")


def test_a_range_of_the_parts_is_the_same_range_of_the_file(broker: FakeBroker) -> None:
    task = engine.start(engine.submit("check", *LINES))
    with engine.claimed("one") as run:
        while not run.segment.is_done:
            batches.run_next_batch(run)
    lifecycle.stop(task, engine.TESTER)
    assert Part.objects.filter(task=task).count() > 1
    whole = b"".join(task_files.open_file(task, "out.csv").read())
    pieces = [(0, 10), (5, 5), (100, 4000), (len(whole) - 3, len(whole))]

    from_parts = [b"".join(task_files.open_file(task, "out.csv").read(*piece)) for piece in pieces]
    broker.deliver_all()
    task = engine.fresh(task)
    from_file = [b"".join(task_files.open_file(task, "out.csv").read(*piece)) for piece in pieces]

    assert task.is_assembled
    assert from_parts == from_file == [whole[start:end] for start, end in pieces]


def test_a_stopped_task_waits_for_an_external_row_that_may_still_be_answered(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = engine.start(engine.submit("send", "name", "n0", "n1"))
    with engine.claimed("one") as run, monkeypatch.context() as slow:
        record, answers = external_outcomes.record, []
        slow.setattr(external_outcomes, "record", lambda *answer, **_: answers.append(answer))
        batches.run_next_batch(run)  # it is sent, and the answer is on its way
        lifecycle.stop(task, engine.TESTER)
        assembly.assemble(task.pk)
        waiting = engine.fresh(task).is_assembled
        offered = task_files.csv_names(engine.fresh(task))
        record(*answers[0])
        Segment.objects.update(claimed_until=database_time(-1))
        assembly.assemble(task.pk)

    task = engine.fresh(task)
    assert (waiting, task.is_assembled, task.success_count) == (False, True, 1)
    assert engine.read(task)[1:] == [["n0", external_journal.effect_key(task.pk, 1), ""]]
    assert offered == ["in.csv", "out.csv"]  # the row may have been sent: it is not offered again
    assert engine.read(task, "unprocessed.csv") == [["name"], ["n1"]]


def test_a_stopped_task_whose_worker_died_in_a_call_says_so(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = engine.start(engine.submit("send_again", "name", "n0", "n1"))
    with engine.claimed("one") as run, monkeypatch.context() as dying:
        dying.setattr(external_outcomes, "record", lambda *_, **__: None)
        batches.run_next_batch(run)
    lifecycle.stop(task, engine.TESTER)
    Segment.objects.update(claimed_until=database_time(-1))

    assembly.assemble(task.pk)

    task = engine.fresh(task)
    assert task.is_assembled
    assert (task.success_count, task.failure_count) == (0, 1)
    assert "indeterminate" in engine.read(task)[1][-1]
    assert task_files.csv_names(task) == ["in.csv", "out.csv", "unprocessed.csv"]
