"""What becomes of a row that was sent outside and has no answer? Never a line of failed.csv."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db import DataError

from categories.contract import RowFailed, StopTask, Succeeded
from categories.rows import RowShape
from tasks_app import assembly, files, lifecycle, sweeping
from tasks_app.execution import batches, effects, ledger, pacing, slices
from tasks_app.models import Effect, Segment, Task, TaskCSV
from tasks_app.models.clock import database_time
from tests import engine, plugins
from tests import settling as rows
from tests.broker import FakeBroker

pytestmark = pytest.mark.django_db(transaction=True)

Obey = Callable[[str | None], Any]

CUT = "indeterminate: ConnectionError: the details are in the log"


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a worker wait in place for every attempt, and not for long."""
    monkeypatch.setattr(effects, "MIN_PAUSE_SECONDS", 0.0001)


@pytest.fixture
def long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no worker wait in place."""
    monkeypatch.setattr(effects, "MIN_PAUSE_SECONDS", 30.0)


def answering(monkeypatch: pytest.MonkeyPatch, *answers: Exception | None) -> None:
    """Let rows that say `do` be answered so, one attempt after the other; the last one for ever."""
    left = list(answers)

    def obey(order: str | None) -> None:
        if order:
            answer = left.pop(0) if len(left) > 1 else left[0]
            if answer is not None:
                raise answer

    monkeypatch.setattr(plugins, "obey", obey)


def let_pauses_end() -> None:
    """Let the pause of every segment be over."""
    Segment.objects.exclude(retry_at=None).update(retry_at=database_time(-1))


def run_through(broker: FakeBroker, task: Task) -> Task:
    """Let workers come back after each pause, until the task has ended."""
    for _ in range(40):
        broker.deliver_all()
        if engine.fresh(task).is_final:
            return engine.fresh(task)
        let_pauses_end()
        sweeping.repeat_message(engine.fresh(task))
    raise AssertionError("it does not end")


@pytest.mark.parametrize("lost", [ConnectionError("cut"), TimeoutError("late"), ValueError("502")])
def test_a_row_without_an_answer_is_sent_again_with_its_key(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, short_pauses: None, lost: Exception
) -> None:
    answering(monkeypatch, lost, lost, None)

    task = rows.ended(broker, "", "lost", "", action="send_again")

    assert (task.status, rows.counts(task)) == ("success", (3, 0, 0))
    assert len(plugins.calls) == 5
    assert len(set(plugins.calls)) == 3
    assert rows.effect(task, 2).attempt_count == 3


def test_a_row_that_times_out_is_sent_again_with_its_key(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, short_pauses: None
) -> None:
    waits = [lambda: time.sleep(60), lambda: None]
    monkeypatch.setattr(plugins, "obey", lambda _: waits.pop(0)())

    task = rows.ended(broker, "sleep", action="send_again")

    assert rows.counts(task) == (1, 0, 0)
    assert len(plugins.calls) == 2
    assert len(set(plugins.calls)) == 1


def test_a_row_that_stays_without_an_answer_is_indeterminate_and_in_no_other_file(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, short_pauses: None
) -> None:
    answering(monkeypatch, ConnectionError("cut"))

    task = rows.ended(broker, "", "lost", action="send_again")

    assert rows.counts(task) == (1, 1, 1)
    assert rows.errors(task)[1] == f"{CUT}; it was sent 6 times with the same effect key"
    assert files.csv_names(task) == ["in.csv", "out.csv"]
    assert len(set(plugins.calls)) == 2


def test_an_action_that_is_not_idempotent_sends_a_row_once(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, ConnectionError("cut"))

    task = rows.ended(broker, "", "lost", action="send")

    assert rows.errors(task)[1] == f"{CUT}; it was not repeated"
    assert len(plugins.calls) == 2
    assert files.csv_names(task) == ["in.csv", "out.csv"]


@pytest.mark.parametrize("attempts", [1, 2, 4])
def test_an_action_says_how_often_a_row_is_sent(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, short_pauses: None, attempts: int
) -> None:
    monkeypatch.setattr(plugins.SendAgain, "max_attempts", attempts)
    answering(monkeypatch, ConnectionError("cut"))

    rows.ended(broker, "lost", action="send_again")

    assert len(plugins.calls) == attempts


def test_an_action_says_for_how_long_a_row_is_sent_again(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, long_pauses: None
) -> None:
    monkeypatch.setattr(plugins.SendAgain, "retry_seconds", 100.0)
    answering(monkeypatch, ConnectionError("cut"))

    task = rows.ended(broker, "lost", action="send_again")
    let_pauses_end()
    Effect.objects.update(sent_at=database_time(-101))
    sweeping.repeat_message(task)
    broker.deliver_all()

    assert len(plugins.calls) == 1
    assert rows.counts(task) == (0, 1, 1)


def test_a_pause_that_would_outlast_the_time_is_not_begun(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, long_pauses: None
) -> None:
    monkeypatch.setattr(plugins.SendAgain, "retry_seconds", 29.0)
    answering(monkeypatch, ConnectionError("cut"))

    task = rows.ended(broker, "lost", action="send_again")

    assert (task.status, rows.counts(task)) == ("failure", (0, 1, 1))


def test_a_refusal_of_the_first_attempt_is_believed(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, RowFailed("400"))

    task = rows.ended(broker, "no", action="send_again")

    assert rows.errors(task) == ["400"]
    assert files.csv_names(task) == ["in.csv", "out.csv", "failed.csv"]


def test_a_refusal_after_an_attempt_without_an_answer_is_about_the_last_one_only(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, short_pauses: None
) -> None:
    answering(monkeypatch, ConnectionError("cut"), RowFailed("409 exists already"))

    task = rows.ended(broker, "twice", action="send_again")

    assert rows.counts(task) == (0, 1, 1)
    (error,) = rows.errors(task)
    assert error == (
        "indeterminate: an earlier attempt had no answer, the last one was refused"
        " (409 exists already); it was sent 2 times with the same effect key"
    )
    assert files.csv_names(task) == ["in.csv", "out.csv"]


# ---- Pauses --------------------------------------------------------------------------------------


def test_pauses_double_up_to_a_minute_and_are_kept_by_whoever_claims_the_segment(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugins.SendAgain, "max_attempts", 9)
    answering(monkeypatch, ConnectionError("cut"))
    pauses: list[float] = []
    monkeypatch.setattr(pacing, "wait_unless_needed", lambda seconds: bool(pauses.append(seconds)))
    task = engine.start(engine.submit("send_again", "name,do", "n1,lost"))

    broker.deliver_all()
    is_claimable = Segment.objects.claimable().exists()
    run_through(broker, task)

    assert not is_claimable
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_worker_waits_in_place_for_a_second_and_only_when_nobody_else_waits(
    monkeypatch: pytest.MonkeyPatch, broker: FakeBroker
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(pacing.time, "sleep", slept.append)

    alone = pacing.wait_unless_needed(1.0)
    too_long = pacing.wait_unless_needed(1.1)
    engine.start(engine.submit("check", "name", "n1"))
    beside_others = pacing.wait_unless_needed(1.0)

    assert (alone, too_long, beside_others) == (True, False, False)
    assert slept == [1.0]


def test_other_tasks_run_during_a_pause(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, long_pauses: None
) -> None:
    answering(monkeypatch, ConnectionError("cut"), None)
    waiting = engine.start(engine.submit("send_again", "name,do", "n1,lost", "n2,"))

    other = rows.ended(broker, "", "", action="send")
    was = engine.fresh(waiting).status
    waiting = run_through(broker, waiting)

    assert (was, other.status, waiting.status) == ("executing", "success", "success")


def test_the_sweeper_wakes_a_task_when_its_pause_is_over(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, long_pauses: None
) -> None:
    answering(monkeypatch, ConnectionError("cut"), None)
    task = rows.ended(broker, "lost", action="send_again")

    sweeping.sweep()
    messages_in_the_pause = len(broker.queue)
    let_pauses_end()
    rows.recover(broker)

    assert messages_in_the_pause == 0
    assert engine.fresh(task).status == "success"


def test_a_task_that_waits_again_and_again_is_not_given_up(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, long_pauses: None
) -> None:
    monkeypatch.setattr(plugins.SendAgain, "max_attempts", slices.MOST_IDLE_CLAIMS + 5)
    monkeypatch.setattr(plugins.SendAgain, "retry_seconds", 1e9)
    lost = [ConnectionError("cut")] * (slices.MOST_IDLE_CLAIMS + 2)
    answering(monkeypatch, *lost, None)

    task = run_through(broker, rows.ended(broker, "lost", action="send_again"))

    assert task.status == "success"


def test_a_stop_in_a_pause_takes_effect_at_once(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, long_pauses: None
) -> None:
    answering(monkeypatch, ConnectionError("cut"))
    task = rows.ended(broker, "", "lost", "", action="send_again")

    lifecycle.stop(task, engine.TESTER)
    broker.deliver_all()

    task = engine.fresh(task)
    assert (task.status, task.is_assembled) == ("stopped", True)
    assert rows.errors(task) == ["", f"{CUT}; it was not repeated"]
    assert engine.read(task, "unprocessed.csv") == [["name", "do"], ["n3", ""]]


def test_a_stop_while_a_worker_waits_in_place_takes_effect_when_it_wakes(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, ConnectionError("cut"))
    task = engine.start(engine.submit("send_again", "name,do", "n1,lost", "n2,"))
    monkeypatch.setattr(pacing.time, "sleep", lambda _: lifecycle.stop(task, engine.TESTER))

    broker.deliver_all()

    task = engine.fresh(task)
    assert task.is_assembled
    assert len(plugins.calls) == 1
    assert rows.counts(task) == (0, 1, 1)


def test_a_stop_in_a_call_that_has_no_answer_ends_its_attempts(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = engine.start(engine.submit("send_again", "name,do", "n1,lost", "n2,"))

    def stop_and_lose(_: str | None) -> None:
        lifecycle.stop(task, engine.TESTER)
        raise ConnectionError("cut")

    monkeypatch.setattr(plugins, "obey", stop_and_lose)
    broker.deliver_all()

    assert rows.errors(task) == [f"{CUT}; it was not repeated"]
    assert len(plugins.calls) == 1


# ---- Deaths --------------------------------------------------------------------------------------


def die_in_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a worker send the next row and die before it commits."""
    Segment.objects.update(claimed_until=None)
    with engine.worker("one") as dying, monkeypatch.context() as cut:
        cut.setattr(batches, "commit_external", lambda *_, **__: None)
        cut.setattr(effects, "postpone", lambda *_: None)
        batches.run_next_batch(dying)
    Segment.objects.update(claimed_until=None)


def test_attempts_are_counted_through_the_death_of_workers(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, short_pauses: None
) -> None:
    monkeypatch.setattr(plugins.SendAgain, "max_attempts", 3)
    answering(monkeypatch, ConnectionError("cut"))
    task = engine.start(engine.submit("send_again", "name,do", "n1,lost"))

    die_in_a_call(monkeypatch)
    broker.deliver_all()

    assert len(plugins.calls) == 3
    assert rows.counts(task) == (0, 1, 1)


def test_a_row_whose_last_attempt_killed_its_worker_is_not_sent_again(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugins.SendAgain, "max_attempts", 2)
    task = engine.start(engine.submit("send_again", "name", "n1"))

    for _ in range(2):
        die_in_a_call(monkeypatch)
    broker.deliver_all()

    assert len(plugins.calls) == 2
    (error,) = rows.errors(task)
    assert error == (
        "indeterminate: a worker died while it was being sent;"
        " it was sent 2 times with the same effect key"
    )


def test_an_idempotent_row_that_kills_its_workers_is_indeterminate(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = engine.start(engine.submit("send_again", "name", "n1", "n2"))

    for _ in range(3):
        die_in_a_call(monkeypatch)
    broker.deliver_all()

    assert rows.errors(task)[0] == (
        "indeterminate: the worker died on this row, 2 times;"
        " it was sent 3 times with the same effect key"
    )
    assert files.csv_names(engine.fresh(task)) == ["in.csv", "out.csv"]


def test_attempts_without_an_answer_are_no_deaths(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, short_pauses: None
) -> None:
    lost = ConnectionError("cut")
    answering(monkeypatch, lost, lost, lost, lost, None)
    task = engine.start(engine.submit("send_again", "name,do", "n1,lost"))

    die_in_a_call(monkeypatch)
    broker.deliver_all()

    assert (len(plugins.calls), rows.counts(task)) == (5, (1, 0, 0))


# ---- Whatever else may happen after a call -------------------------------------------------------


@pytest.mark.parametrize("action", ["send", "send_again"])
def test_a_row_on_which_the_action_stops_the_task_is_indeterminate(
    broker: FakeBroker, action: str
) -> None:
    task = rows.ended(broker, "", "stop", "", action=action)

    assert (task.status, task.reason) == ("partial", "told to stop")
    assert rows.errors(task) == [
        "",
        "indeterminate: the action stopped the task: told to stop; it was not repeated",
    ]
    assert files.csv_names(task) == ["in.csv", "out.csv", "unprocessed.csv"]
    assert engine.read(task, "unprocessed.csv") == [["name", "do"], ["n3", ""]]


class Unformattable:
    """A cell that no column can write."""

    def __str__(self) -> str:
        raise ValueError("no text")


@pytest.mark.parametrize(
    "answer",
    [
        True,
        False,
        {"key": "x"},
        "sent",
        Succeeded(key=Unformattable()),
        Succeeded("text"),
        Succeeded.many([{"key": "x"}, {"nonsense": "x"}]),
        Succeeded.many([1, 2]),  # type: ignore[list-item]
    ],
)
@pytest.mark.parametrize("action", [plugins.Send, plugins.SendAgain])
def test_an_answer_that_is_no_outcome_or_cannot_be_written_is_indeterminate(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, action: Any, answer: Any
) -> None:
    monkeypatch.setattr(action, "process", lambda *_: answer)

    task = rows.ended(broker, "", "", action=action.name)

    assert (task.status, rows.counts(task)) == ("failure", (0, 2, 2))
    assert files.csv_names(task) == ["in.csv", "out.csv"]


def test_an_answer_that_the_database_refuses_is_indeterminate(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = ledger.commit_batch

    def refuse_success(segment: Segment, done: ledger.Done, **options: Any) -> None:
        if done.success_count:
            raise DataError("string or blob too big")
        commit(segment, done, **options)

    monkeypatch.setattr(ledger, "commit_batch", refuse_success)

    task = rows.ended(broker, "", action="send_again")

    assert rows.counts(task) == (0, 1, 1)
    assert (
        "the answer cannot be written (DataError: the details are in the log)"
        in rows.errors(task)[0]
    )


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b", "x" * 5_000])
def test_what_an_exception_says_cannot_stop_a_row_from_being_repeated(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, short_pauses: None, text: str
) -> None:
    monkeypatch.setattr(effects.logger, "disabled", True)  # it cannot be a test's output
    answering(monkeypatch, ConnectionError(text), None)

    task = rows.ended(broker, "lost", action="send_again")

    assert rows.counts(task) == (1, 0, 0)


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b"])
def test_a_reason_that_no_database_keeps_stops_a_task_all_the_same(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    answering(monkeypatch, StopTask(text))

    task = rows.ended(broker, "stop", "", action="send")

    assert (task.status, task.reason[0], task.reason[-1]) == ("failure", "a", "b")


def test_a_row_that_its_columns_reject_after_it_was_sent_is_indeterminate(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = engine.start(engine.submit("send_again", "name", "n1"))
    die_in_a_call(monkeypatch)
    monkeypatch.setattr(RowShape, "parse_batch", lambda *_: [RowFailed("bad field(s) name: no")])

    broker.deliver_all()

    assert rows.counts(task) == (0, 1, 1)
    assert rows.effect(task, 1).state == "indeterminate"
    assert files.csv_names(engine.fresh(task)) == ["in.csv", "out.csv"]


def test_a_task_that_is_broken_in_a_pause_does_not_offer_the_row_as_unprocessed(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, long_pauses: None
) -> None:
    answering(monkeypatch, ConnectionError("cut"))
    task = rows.ended(broker, "lost", "", action="send_again")
    let_pauses_end()
    Task.objects.filter(pk=task.pk).update(category_version="of long ago")

    sweeping.end_unfit(engine.fresh(task))
    task = run_through(broker, task)

    assert rows.errors(task) == [f"{CUT}; it was not repeated"]
    assert engine.read(task, "unprocessed.csv") == [["name", "do"], ["n2", ""]]


def test_an_assembly_in_a_pause_leaves_the_row_to_its_next_attempt(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, long_pauses: None
) -> None:
    answering(monkeypatch, ConnectionError("cut"), None)
    task = rows.ended(broker, "lost", action="send_again")

    assembly.assemble(task.pk)
    task = run_through(broker, task)

    assert rows.counts(task) == (1, 0, 0)


# ---- Inputs that are lost meanwhile --------------------------------------------------------------


def input_path(task: Task) -> Path:
    return Path(default_storage.path(TaskCSV.objects.get(task=task, name="in.csv").key))


def lose(task: Task) -> bytes:
    """Let a task's input be gone; return its bytes."""
    content = input_path(task).read_bytes()
    input_path(task).unlink()
    return content


def edit(task: Task) -> bytes:
    """Let somebody edit a task's input; return the bytes that it had."""
    content = input_path(task).read_bytes()
    input_path(task).write_bytes(content.replace(b"n1,", b"x1,"))
    return content


def restore(task: Task, content: bytes) -> None:
    """Put a task's input back, and ask for it, so that it is offered again."""
    input_path(task).write_bytes(content)
    files.open_file(engine.fresh(task), "in.csv")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lose, "the input is missing: rows 3 to 3"),
        (edit, "the input has changed since its upload: rows 1 to 3"),
    ],
)
@pytest.mark.parametrize("is_stopped", [False, True])
def test_a_row_without_an_answer_outlives_its_input(
    broker: FakeBroker,
    monkeypatch: pytest.MonkeyPatch,
    long_pauses: None,
    damage: Callable[[Task], bytes],
    reason: str,
    is_stopped: bool,
) -> None:
    answering(monkeypatch, ConnectionError("cut"))
    task = rows.ended(broker, "", "lost", "", action="send_again")

    content = damage(task)
    if is_stopped:
        lifecycle.stop(task, engine.TESTER)
    task = run_through(broker, task)
    restore(task, content)

    assert task.reason == ("" if is_stopped else reason)
    assert rows.counts(task) == (1, 1, 1)
    assert rows.errors(task) == ["", f"{CUT}; it was not repeated"]
    assert engine.read(task, "unprocessed.csv") == [["name", "do"], ["n3", ""]]
    assert len(plugins.calls) == 2
    rows.assert_counts_equal_files(task)


def test_a_row_whose_worker_died_in_its_call_outlives_its_input(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = engine.start(engine.submit("send", "name", "n1", "n2"))
    die_in_a_call(monkeypatch)
    lose(task)

    broker.deliver_all()

    assert rows.counts(task) == (0, 1, 1)
    assert engine.fresh(task).reason == "the input is missing: rows 2 to 2"


def test_a_last_row_without_an_answer_leaves_nothing_to_be_lost_but_the_whole_input(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, long_pauses: None
) -> None:
    answering(monkeypatch, ConnectionError("cut"))
    task = rows.ended(broker, "", "lost", action="send_again")

    lose(task)
    task = run_through(broker, task)

    assert (task.status, rows.counts(task)) == ("internal_error", (1, 1, 1))
    assert task.reason == "the input is missing: rows 1 to 2"


@pytest.mark.parametrize(
    ("decision", "counts"),
    [("done", (2, 0, 0)), ("not_done", (1, 1, 0)), ("send_again", (2, 0, 0))],
)
def test_people_settle_a_row_whose_input_is_lost(
    broker: FakeBroker,
    monkeypatch: pytest.MonkeyPatch,
    long_pauses: None,
    decision: str,
    counts: tuple[int, int, int],
) -> None:
    answering(monkeypatch, ConnectionError("cut"), None)
    task = rows.ended(broker, "", "lost", "", action="send_again")
    content = lose(task)
    task = run_through(broker, task)

    task = rows.settle(broker, task, decision, 2)
    restore(task, content)

    assert rows.counts(task) == counts
    assert rows.effect(task, 2).input_line is None
    rows.assert_counts_equal_files(task)


def test_a_line_comes_back_byte_for_byte_from_the_journal(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, long_pauses: None
) -> None:
    answering(monkeypatch, ConnectionError("cut"))
    lines = ["", '"n ""1""\n,\r",lost\r', "", "n2,"]
    task = engine.start(engine.submit("send_again", "name,do", *lines))
    broker.deliver_all()

    content = lose(task)
    task = run_through(broker, task)
    restore(task, content)

    output = b"".join(files.open_file(task, "out.csv").read())
    left = b"".join(files.open_file(engine.fresh(task), "unprocessed.csv").read())
    assert output.startswith(b'name,do,key,error\n"n ""1""\n,\r",lost,,')
    assert left == b"name,do\n\nn2,\n"


def test_the_journal_keeps_no_line_of_a_row_whose_outcome_is_known(broker: FakeBroker) -> None:
    task = rows.ended(broker, "", "fail", action="send_again")

    assert set(task.effects.values_list("input_line", flat=True)) == {None}


def test_a_row_that_an_older_version_sent_is_offered_to_nobody_once_its_input_was_lost(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, long_pauses: None
) -> None:
    answering(monkeypatch, ConnectionError("cut"))
    task = rows.ended(broker, "", "lost", "", action="send_again")
    task.effects.update(input_line=None, input_end_offset=None)

    content = lose(task)
    task = run_through(broker, task)
    restore(task, content)

    assert files.csv_names(engine.fresh(task)) == ["in.csv", "out.csv"]
    assert rows.decide(task, "done", 2).refused == {
        2: "it is in no file: an older version sent it, and then its input was lost"
    }


def test_a_row_that_an_older_version_sent_is_read_from_its_input(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, long_pauses: None
) -> None:
    answering(monkeypatch, ConnectionError("cut"))
    task = rows.ended(broker, "", "lost", "", action="send_again")
    task.effects.update(input_line=None, input_end_offset=None)

    lifecycle.stop(task, engine.TESTER)
    broker.deliver_all()
    task = rows.settle(broker, task, "not_done", 2)

    assert engine.read(task, "failed.csv") == [["name", "do"], ["n2", "lost"]]
    assert engine.read(task, "unprocessed.csv") == [["name", "do"], ["n3", ""]]


# ---- Sent once more by a person ------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [ConnectionError("cut"), StopTask("enough"), RowFailed("409 exists already"), True],
)
def test_an_idempotent_row_that_is_sent_once_more_in_vain_stays_indeterminate(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    monkeypatch.setattr(plugins.SendAgain, "max_attempts", 1)
    task = rows.ended(broker, "", "crash", action="send_again")

    def process(*_: object) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(plugins.SendAgain, "process", process)
    task = rows.settle(broker, task, "send_again", 2)

    assert rows.counts(task) == (1, 1, 1)
    assert files.csv_names(task) == ["in.csv", "out.csv"]
    assert rows.errors(task)[1].endswith("; it was sent 2 times with the same effect key")
    rows.assert_counts_equal_files(task)


@pytest.mark.parametrize("answer", [Succeeded(key=Unformattable()), Succeeded(nonsense="x")])
def test_an_answer_to_one_more_call_that_cannot_be_written_leaves_a_row_indeterminate(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    task = rows.ended(broker, "", "crash")
    monkeypatch.setattr(plugins.Send, "process", lambda *_: answer)

    task = rows.settle(broker, task, "send_again", 2)

    assert rows.counts(task) == (1, 1, 1)
    rows.assert_counts_equal_files(task)
