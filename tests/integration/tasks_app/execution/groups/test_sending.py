"""Tests that rows of an external action are sent several at a time, and keep their order."""

from __future__ import annotations

import threading
import time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from categories.running import callers
from tasks_app.execution import batches, external_journal, worker
from tasks_app.files import task_files
from tasks_app.models import Effect, Segment, Task
from tasks_app.models.clock import database_time
from tests import engine, plugins
from tests import settling as rows
from tests.broker import FakeBroker
from tests.unanswered import answering, run_through

pytestmark = pytest.mark.django_db(transaction=True)


def test_rows_of_a_group_are_sent_at_the_same_time(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = threading.Barrier(4)
    monkeypatch.setattr(plugins, "obey", lambda _: together.wait(timeout=5))
    monkeypatch.setattr(plugins.SendMany, "row_seconds", 5.0)

    task = rows.ended(broker, *[""] * 8, action="send_many")

    assert (task.status, task.success_count) == ("success", 8)


def test_each_row_is_sent_once_with_its_key_and_the_output_is_in_order(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses = iter([0.05, 0.0, 0.03, 0.01] * 10)
    monkeypatch.setattr(plugins, "obey", lambda _: time.sleep(next(pauses)))

    task = rows.ended(broker, *[""] * 40, action="send_many")

    keys = [external_journal.effect_key(task.pk, number) for number in range(1, 41)]
    names = [f"n{number}" for number in range(1, 41)]
    assert [line[0] for line in engine.read(task)[1:]] == names
    assert [line[2] for line in engine.read(task)[1:]] == keys
    assert sorted(plugins.calls) == sorted(
        f"{name} {key}" for name, key in zip(names, keys, strict=True)
    )
    assert set(task.effects.values_list("state", flat=True)) == {"done"}


def test_a_group_is_journaled_with_one_statement_and_is_one_part(broker: FakeBroker) -> None:
    task = engine.start(engine.submit("send_many", "name", *[f"n{number}" for number in range(16)]))
    with engine.claimed("one") as run, CaptureQueriesContext(connection) as seen:
        batches.run_next_batch(run)

    statements = [query["sql"] for query in seen if "tasks_app_effect" in query["sql"]]
    assert len([each for each in statements if each.startswith("INSERT")]) == 1
    assert len([each for each in statements if each.startswith("UPDATE")]) == 1
    assert list(engine.fresh(task).parts.values_list("row_count", flat=True)) == [4]


@pytest.mark.parametrize("trouble", ["a worker died", "calls failed"])
def test_a_slice_ends_in_time_when_the_last_rows_are_sent_one_by_one(
    broker: FakeBroker, settings: Settings, trouble: str
) -> None:
    settings.PISTON_SLICE_MILLISECONDS = 0
    task = engine.start(engine.submit("send_many", "name", "n1", "n2", "n3"))
    if trouble == "a worker died":
        Segment.objects.filter(task=task).update(careful_until_row=3)
    else:
        Task.objects.filter(pk=task.pk).update(failing_since=database_time(-60))

    broker.deliver()

    assert len(plugins.calls) == 1


def test_rejected_rows_and_refusals_stand_in_their_place(broker: FakeBroker) -> None:
    lines = ["a,,", "x,,no", "b,fail,", "x,,no", "c,,", "d,,", "x,,no", "x,,no"]
    task = engine.start(engine.submit("send_many", "name,do,number", *lines))

    broker.deliver_all()

    errors = rows.errors(task)
    assert [error[:9] for error in errors] == [
        *("", "bad field", "told to f", "bad field", "", "", "bad field", "bad field")
    ]
    assert len(plugins.calls) == 4
    assert engine.fresh(task).effects.count() == 4
    engine.assert_balanced(task)


def test_an_outcome_behind_a_lost_row_is_kept_and_not_asked_for_again(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, long_pauses: None
) -> None:
    answering(monkeypatch, ConnectionError("cut"), None)
    task = rows.ended(broker, "lost", "", "", "", "", action="send_many_again")
    kept = list(task.effects.order_by("row_number").values_list("state", flat=True))

    task = run_through(broker, task)

    assert kept == ["sent", "known", "known", "known", "known"]
    assert (task.status, task.success_count) == ("success", 5)
    assert [line[0] for line in engine.read(task)[1:]] == ["n1", "n2", "n3", "n4", "n5"]
    assert len(plugins.calls) == 6
    assert len(set(plugins.calls)) == 5


def test_rows_are_sent_ahead_of_a_lost_one_only_so_far(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, long_pauses: None
) -> None:
    answering(monkeypatch, ConnectionError("cut"), None)
    outcomes = ["lost", *[""] * 30]
    task = rows.ended(broker, *outcomes, action="send_many_again")

    waiting = Effect.objects.unrecorded().count()
    run_through(broker, task)

    assert waiting == callers.window_size(plugins.SendManyAgain) == 16
    assert engine.fresh(task).success_count == 31


def test_a_row_that_takes_too_long_has_no_answer_and_the_others_are_recorded(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    awake = threading.Event()
    monkeypatch.setattr(plugins, "obey", lambda order: order and awake.wait(30))

    task = rows.ended(broker, "", "late", "", "", action="send_many")
    is_stuck = callers.are_stuck()
    awake.set()

    assert rows.errors(task) == [
        "",
        "indeterminate: timed out after 0.5 s; it was not repeated",
        "",
        "",
    ]
    assert task_files.csv_names(task) == ["in.csv", "out.csv"]
    assert is_stuck


def test_a_worker_with_a_stuck_row_sends_no_more(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    awake = threading.Event()
    monkeypatch.setattr(plugins, "obey", lambda order: order and awake.wait(30))
    task = engine.start(engine.submit("send_many", "name,do", "a,", "b,late", "c,", "d,", "e,"))

    broker.deliver()
    sent = len(plugins.calls)
    awake.set()
    for thread in callers.stuck:
        thread.join(timeout=5)

    assert sent == 4
    assert engine.fresh(task).success_count == 3
    assert not callers.are_stuck()
    assert not Segment.objects.all().held().exists()


def test_connections_of_the_threads_are_closed(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[object] = []

    def ask(_: str | None) -> None:
        plugins.execute("SELECT 1")
        opened.append(connection.connection)

    monkeypatch.setattr(plugins, "obey", ask)
    task = rows.ended(broker, *[""] * 8, action="send_many")

    assert task.success_count == 8
    assert len({id(each) for each in opened}) == 4
    assert not [thread for thread in threading.enumerate() if thread.name == "caller"]


def test_a_database_error_in_a_thread_is_no_answer(broker: FakeBroker) -> None:
    task = rows.ended(broker, "", "slip", "", "", action="send_many")

    assert rows.counts(task) == (3, 1, 1)


def test_an_answer_of_a_group_that_cannot_be_written_leaves_the_others_alone(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = plugins.Send.process
    answer = lambda self, row, context: (  # noqa: E731
        plugins.Succeeded(nonsense="x") if row.do else process(self, row, context)
    )
    monkeypatch.setattr(plugins.SendMany, "process", answer)

    task = rows.ended(broker, "", "x", "", "", action="send_many")

    assert rows.counts(task) == (3, 1, 1)
    assert "the answer cannot be written" in rows.errors(task)[1]


def test_a_row_on_which_the_action_stops_the_task_is_recorded_with_its_group(
    broker: FakeBroker,
) -> None:
    task = rows.ended(broker, "", "stop", "", "", "", "", action="send_many")

    assert (task.status, task.reason) == ("partial", "told to stop")
    assert [bool(error) for error in rows.errors(task)] == [False, True, False, False]
    assert engine.read(task, "unprocessed.csv")[1:] == [["n5", ""], ["n6", ""]]


def test_an_idle_claim_is_no_death(broker: FakeBroker) -> None:
    rows.ended(broker, *[""] * 9, action="send_many")

    assert not Segment.objects.filter(idle_claims__gt=worker.MAX_IDLE_CLAIMS).exists()
    assert set(Segment.objects.values_list("idle_claims", flat=True)) == {0}
