"""Tests that files, counts and journal agree with a person's decision about a row."""

from __future__ import annotations

import random

import pytest

from tasks_app.files import task_files
from tasks_app.models import TaskCSV, TaskEvent
from tests import engine, plugins
from tests import settling as rows
from tests.broker import FakeBroker

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def obeying_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make rows that are set to crash do so only the first time."""
    obeyed: set[str] = set()
    obey = plugins.obey

    def obey_once(order: str | None) -> None:
        if plugins.calls[-1] not in obeyed:
            obeyed.add(plugins.calls[-1])
            obey(order)

    monkeypatch.setattr(plugins, "obey", obey_once)


def test_a_row_that_was_done_counts_as_succeeded(broker: FakeBroker) -> None:
    task = rows.ended(broker, "", "crash", "fail")
    before = task.status, task.revision, rows.counts(task)

    task = rows.settle(broker, task, "done", 2)

    assert before == ("partial", task.revision - 1, (1, 2, 1))
    assert rows.counts(task) == (2, 1, 0)
    assert task.status == "partial"
    assert engine.read(task)[2] == ["n2", "crash", "", ""]
    assert rows.effect(task, 2).state == "done"
    rows.assert_counts_equal_files(task)


def test_a_row_that_was_not_done_can_be_sent_again_by_the_client(broker: FakeBroker) -> None:
    task = rows.ended(broker, "", "crash", "")
    before = task_files.csv_names(task)

    task = rows.settle(broker, task, "not_done", 2)

    assert before == ["in.csv", "out.csv"]
    assert task_files.csv_names(task) == ["in.csv", "out.csv", "failed.csv"]
    assert engine.read(task, "failed.csv") == [["name", "do"], ["n2", "crash"]]
    assert engine.read(task)[2] == [
        "n2", "crash", "", "not done: staff found out that it did not happen",
    ]  # fmt: skip
    assert rows.counts(task) == (2, 1, 0)
    rows.assert_counts_equal_files(task)


def test_failed_csv_stays_in_the_order_of_the_input(broker: FakeBroker) -> None:
    task = rows.ended(broker, "crash", "fail", "crash", "fail", "crash")

    rows.settle(broker, task, "not_done", 5)
    rows.settle(broker, task, "not_done", 1)
    rows.settle(broker, task, "not_done", 3)

    assert [row[0] for row in engine.read(task, "failed.csv")[1:]] == ["n1", "n2", "n3", "n4", "n5"]
    rows.assert_counts_equal_files(task)


def test_a_row_is_sent_again_with_its_key(broker: FakeBroker, obeying_once: None) -> None:
    task = rows.ended(broker, "", "crash")

    task = rows.settle(broker, task, "send_again", 2)

    assert len(plugins.calls) == 3
    assert plugins.calls[1] == plugins.calls[2]
    assert engine.read(task)[2] == ["n2", "crash", rows.effect(task, 2).key, ""]
    assert rows.counts(task) == (2, 0, 0)
    rows.assert_counts_equal_files(task)


def test_a_row_that_fails_when_it_is_sent_again_has_failed(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = rows.ended(broker, "", "crash", "fail")
    monkeypatch.setattr(plugins, "obey", lambda _: plugins_fail())

    task = rows.settle(broker, task, "send_again", 2)

    assert rows.errors(task) == ["", "exists already", "told to fail"]
    assert rows.counts(task) == (1, 2, 0)
    rows.assert_counts_equal_files(task)


def plugins_fail() -> None:
    raise plugins.RowFailed("exists already")


def test_a_row_that_is_sent_again_without_an_outcome_can_be_settled_again(
    broker: FakeBroker,
) -> None:
    task = rows.ended(broker, "crash", "crash")

    task = rows.settle(broker, task, "send_again", 1)  # it crashes again
    unknown = rows.effect(task, 1)
    counts = rows.counts(task)
    rows.assert_counts_equal_files(task)
    task = rows.settle(broker, task, "done", 1, 2)

    assert (unknown.state, unknown.decision, unknown.decided_at) == ("indeterminate", "", None)
    assert (counts, rows.counts(task)) == ((0, 2, 2), (2, 0, 0))
    rows.assert_counts_equal_files(task)


def test_rows_that_are_settled_together_are_written_together(broker: FakeBroker) -> None:
    task = rows.ended(broker, *["crash", ""] * 4)
    before = TaskCSV.objects.count()

    rows.decide(task, "done", 1, 3)
    rows.decide(task, "not_done", 5)
    broker.deliver_all()

    assert TaskCSV.objects.count() == before + 2  # out.csv again, and failed.csv
    assert rows.counts(task) == (6, 2, 1)
    rows.assert_counts_equal_files(task)


@pytest.mark.parametrize("seed", range(5))
def test_any_order_of_decisions_leaves_files_that_equal_the_counts(
    broker: FakeBroker, obeying_once: None, seed: int
) -> None:
    chance = random.Random(seed)
    outcomes = [chance.choice(["", "crash", "crash", "fail"]) for _ in range(25)]
    task = rows.ended(broker, *outcomes)
    unknown = [number for number, outcome in enumerate(outcomes, 1) if outcome == "crash"]
    chance.shuffle(unknown)

    while unknown:
        for decision in ("done", "not_done", "send_again"):
            chosen, unknown = unknown[: chance.randint(0, 3)], unknown[3:]
            rows.decide(task, decision, *chosen)
        broker.deliver_all()
        rows.assert_counts_equal_files(task)

    assert [row[0] for row in engine.read(task)[1:]] == [f"n{number}" for number in range(1, 26)]


def test_input_columns_come_back_byte_for_byte(broker: FakeBroker) -> None:
    lines = ['"n ""1""",', "", "", 'n2,"cr""ash"', '"n\n3",crash', " n4 , "]
    task = engine.start(engine.submit("send_nonsense", "name,do", *lines))
    broker.deliver_all()

    rows.settle(broker, task, "not_done", 1, 2, 3)
    rows.settle(broker, task, "done", 4)

    failed = b"".join(task_files.open_file(engine.fresh(task), "failed.csv").read())
    output = b"".join(task_files.open_file(engine.fresh(task), "out.csv").read())
    assert failed == b'name,do\n"n ""1""",\nn2,"cr""ash"\n"n\n3",crash\n'
    assert output.endswith(b"\n n4 , ,,\n")
    assert output.count(b",not done: staff found out that it did not happen\n") == 3


def test_events_record_each_decision_and_its_result(broker: FakeBroker) -> None:
    task = rows.ended(broker, "", "crash")

    rows.decide(task, "not_done", 2, note="asked the carrier")
    broker.deliver_all()

    decided, settled = TaskEvent.objects.filter(task_id=task.pk).order_by("-id")[:2][::-1]
    assert (decided.kind, decided.actor, decided.request_id) == (
        "decided",
        "staff:anna",
        "request-1",
    )
    assert decided.detail == {"row": 2, "decision": "not_done", "note": "asked the carrier"}
    assert (settled.kind, settled.actor) == ("settled", "system")
    assert settled.detail["row"] == 2
    assert settled.detail["settled_as"] == "failed"


def test_a_running_download_is_not_interrupted(broker: FakeBroker) -> None:
    task = rows.ended(broker, "", "crash", *[""] * 50)
    file = task_files.open_file(task, "out.csv")
    old = b"".join(file.read())
    begun = task_files.read_through(task, file, 0, file.size)

    rows.settle(broker, task, "done", 2)
    rows.recover(broker)

    assert b"".join(begun) == old
    assert b"".join(file.read(10, 20)) == old[10:20]  # the file is opened only here


def test_nothing_to_carry_out_changes_nothing(broker: FakeBroker) -> None:
    task = rows.ended(broker, "", "crash")
    revision = task.revision

    broker.send("tasks_app.settle_rows", task.pk)
    broker.deliver_all()
    rows.recover(broker)

    assert engine.fresh(task).revision == revision
    assert engine.fresh(task).assembly_claim == task.assembly_claim


def test_more_than_one_message_can_carry_is_carried_by_several(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks_app.indeterminate.carrying_out.MAX_AT_ONCE", 2)
    task = rows.ended(broker, *["crash"] * 5)

    rows.settle(broker, task, "done", 1, 2, 3, 4, 5)

    assert rows.counts(task) == (5, 0, 0)
    rows.assert_counts_equal_files(task)


def test_a_message_that_has_sent_rows_for_a_slice_leaves_the_rest_to_the_next(
    broker: FakeBroker, settings: object, obeying_once: None
) -> None:
    settings.PISTON_SLICE_MILLISECONDS = -1  # type: ignore[attr-defined]
    task = rows.ended(broker, "crash", "crash")
    settings.PISTON_SLICE_MILLISECONDS = 0  # type: ignore[attr-defined]

    rows.decide(task, "send_again", 1, 2)
    broker.deliver()
    left = len(broker.queue)
    settings.PISTON_SLICE_MILLISECONDS = 1_000  # type: ignore[attr-defined]
    broker.deliver_all()

    assert left == 1
    assert rows.counts(task) == (2, 0, 0)
