"""Tests what becomes of a group when its worker dies, or is overtaken, or its task is stopped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from categories.running import calls
from tasks_app import lifecycle
from tasks_app.errors import ClaimLost
from tasks_app.execution import batches, external, poison_rows
from tasks_app.files import task_files
from tasks_app.models import Segment
from tests import engine, plugins
from tests import settling as rows
from tests.broker import FakeBroker
from tests.unanswered import CUT, answering, die_in_a_call, run_through

pytestmark = pytest.mark.django_db(transaction=True)

NAMES = [f"n{number}" for number in range(1, 11)]


class Killed(BaseException):
    """A worker is killed."""


def test_a_group_whose_worker_died_is_sent_again_with_its_keys(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = engine.start(engine.submit("send_many_again", "name", *NAMES))
    die_in_a_call(monkeypatch)

    broker.deliver_all()

    assert rows.counts(task) == (10, 0, 0)
    assert len(plugins.calls) == 14
    assert len(set(plugins.calls)) == 10


def test_a_group_that_must_not_be_repeated_is_indeterminate_and_its_rows_can_be_settled(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = engine.start(engine.submit("send_many", "name,do", *(f"{name}," for name in NAMES)))
    die_in_a_call(monkeypatch)

    broker.deliver_all()

    assert rows.counts(task) == (6, 4, 4)
    assert rows.errors(task)[:4] == [f"indeterminate: {calls.DIED}; it was not repeated"] * 4
    assert len(plugins.calls) == 10
    task = rows.settle(broker, task, "done", 1, 3)
    task = rows.settle(broker, task, "not_done", 2)
    task = rows.settle(broker, task, "send_again", 4)
    assert rows.counts(task) == (9, 1, 0)
    assert [line[0] for line in engine.read(task)[1:]] == NAMES
    rows.assert_counts_equal_files(task)


def test_after_a_death_rows_are_sent_one_by_one(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    call = external.call

    def note(run: Any, action: Any, sent: Sequence[Any]) -> Any:
        sizes.append(len(sent))
        return call(run, action, sent)

    monkeypatch.setattr(external, "call", note)
    names = [f"n{number}" for number in range(30)]
    engine.start(engine.submit("send_many_again", "name", *names))
    die_in_a_call(monkeypatch)

    broker.deliver_all()

    assert sizes == [4, *[1] * 16, 4, 4, 4, 2]  # as many as may have been in flight


@pytest.mark.parametrize("action", ["send_many", "send_many_again"])
def test_a_row_that_kills_its_workers_is_found_without_blaming_its_neighbours(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    monkeypatch.setattr(poison_rows, "GRACE_SECONDS", -1)
    call = external.call

    def kill(run: Any, asked: Any, sent: Sequence[Any]) -> Any:
        if any(row.read.parsed["name"] == "n3" for row in sent):
            raise Killed
        return call(run, asked, sent)

    monkeypatch.setattr(external, "call", kill)
    task = engine.start(engine.submit(action, "name", *NAMES))
    for _ in range(6):
        try:
            rows.recover(broker)
        except Killed:
            Segment.objects.update(claimed_until=None)

    task = engine.fresh(task)
    lost = [number for number, error in enumerate(rows.errors(task), 1) if error]
    assert task.is_final
    if action == "send_many":  # what was in the group with it may have been sent
        assert lost == [1, 2, 3, 4]
    else:
        assert lost == [3]
        assert "the worker died on this row, 2 times" in rows.errors(task)[2]
    assert len(set(plugins.calls)) == len(plugins.calls)


@pytest.mark.parametrize("first", ["", "lost"])
def test_a_claim_that_was_overtaken_records_nothing(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    lines = [f"n1,{first}", *(f"{name}," for name in NAMES[1:])]
    task = engine.start(engine.submit("send_many_again", "name,do", *lines))

    def overtake(order: str | None) -> None:
        Segment.objects.update(claim=99)
        if order:
            raise ConnectionError("cut")

    monkeypatch.setattr(plugins, "obey", overtake)
    with engine.claimed("one") as run, pytest.raises(ClaimLost):
        batches.run_next_batch(run)

    assert rows.counts(task) == (0, 0, 0)
    assert set(task.effects.values_list("state", "last_error")) == {("sent", "")}
    engine.assert_balanced(task)


def test_a_stop_during_a_group_records_what_was_sent_and_nothing_else(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ["n1,,", "n2,stop it,", "n3,,", "n4,,", "n5,,no", "n6,,"]
    task = engine.start(engine.submit("send_many", "name,do,number", *lines))
    monkeypatch.setattr(
        plugins, "obey", lambda order: order and lifecycle.stop(task, engine.TESTER)
    )

    broker.deliver_all()

    task = engine.fresh(task)
    assert (task.status, rows.counts(task)) == ("stopped", (4, 0, 0))
    assert engine.read(task, "unprocessed.csv")[1:] == [["n5", "", "no"], ["n6", "", ""]]


@pytest.mark.parametrize("is_lost", [False, True])
def test_a_stop_in_a_pause_records_what_is_known_and_what_is_not(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, long_pauses: None, is_lost: bool
) -> None:
    answering(monkeypatch, ConnectionError("cut"))
    task = rows.ended(broker, "", "lost", "", "", *[""] * 20, action="send_many_again")

    offered = task_files.csv_names(task)
    if is_lost:
        task.csvs.update(size_bytes=0)
    lifecycle.stop(task, engine.TESTER)
    in_between = task_files.csv_names(engine.fresh(task))
    broker.deliver_all()

    task = engine.fresh(task)
    assert offered == ["in.csv"]
    assert in_between == ["in.csv", "out.csv"]
    assert rows.errors(task)[:4] == ["", f"{CUT}; it was not repeated", "", ""]
    assert rows.counts(task) == (17 - 1, 1, 1)
    assert [line[0] for line in engine.read(task)[1:]] == [f"n{row}" for row in range(1, 18)]
    assert len(plugins.calls) == 17


def test_a_task_that_ends_before_a_pause_is_over_fails_rows_that_were_told_to_wait(
    broker: FakeBroker,
) -> None:
    task = rows.ended(broker, "", "later", "", "", "later", action="send_many")

    lifecycle.stop(task, engine.TESTER)
    broker.deliver_all()

    task = engine.fresh(task)
    assert rows.errors(task)[1].startswith("not done: the service asked to wait")
    assert rows.counts(task) == (3, 1, 0)
    assert engine.read(task, "failed.csv")[1:] == [["n2", "later"]]
    assert engine.read(task, "unprocessed.csv")[1:] == [["n5", "later"]]
    assert not task.effects.unrecorded().exists()


def test_a_lost_input_ends_the_task_after_recording_what_was_sent(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, long_pauses: None
) -> None:
    from tests.integration.tasks_app.execution.unanswered.test_lost_inputs import lose

    answering(monkeypatch, ConnectionError("cut"))
    outcomes = ["", "lost", *[""] * 20]
    task = rows.ended(broker, *outcomes, action="send_many_again")

    lose(task)
    task = run_through(broker, task)

    assert (task.status, rows.counts(task)) == ("internal_error", (16, 1, 1))
    assert task.reason == "the input is missing: rows 18 to 22"
