"""Does any order of starts, stops, deletions, crashes and sweeps lose or repeat a row?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from piston.accounts.models import Account
from tasks_app import lifecycle
from tasks_app.errors import PistonError
from tasks_app.execution import assembly, batches, claiming, ending, ledger, worker
from tasks_app.execution.runs import Run
from tasks_app.models import AccountTurn, AccountUsage, Part, Segment, Task, TaskCSV, TaskEvent
from tasks_app.models.clock import database_time
from tasks_app.queue import dispatch, sending
from tasks_app.states import FINAL, MOVES
from tasks_app.upkeep import expiry, sweeping
from tests import engine
from tests.broker import FakeBroker
from tests.factories import AccountFactory

LEGAL = {(str(move.start), str(move.end)) for move in MOVES}
OUTCOMES = st.sampled_from(["", "", "fail", "crash"])
LONG_AGO = -60  # seconds; past every claim and every message


class Killed(BaseException):
    """The worker dies here."""


class Fuse:
    """Kills the worker at the n-th of the places below."""

    PLACES = [
        (batches, "run_next_batch"),
        (ledger, "commit_batch"),
        (ledger, "advance"),
        (Segment, "release"),
        (ending, "complete"),
        (dispatch, "wake"),
        (dispatch, "request_assembly"),
        (assembly, "write_file"),
        (assembly, "hand_over"),
    ]

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left: int | None = None
        for owner, name in self.PLACES:
            monkeypatch.setattr(owner, name, self.wrap(getattr(owner, name)))

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def fused(*arguments: Any, **options: Any) -> Any:
            self.pass_by()
            answer = function(*arguments, **options)
            self.pass_by()
            return answer

        return fused

    def pass_by(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.left = None
                raise Killed


class Histories(RuleBasedStateMachine):
    """All events that people, brokers and faults can cause."""

    tasks = Bundle("tasks")
    broker: FakeBroker
    fuse: Fuse

    def __init__(self) -> None:
        super().__init__()
        self.clean_up()  # the previous history may have failed half-way
        self.account = AccountFactory.create()
        self.broker.queue.clear()
        self.fuse.left = None
        self.rows: dict[str, list[str]] = {}
        self.frozen: list[Run] = []
        self.counts_at_stop: dict[str, tuple[int, int]] = {}

    @rule(target=tasks, outcomes=st.lists(OUTCOMES, min_size=1, max_size=12))
    def create(self, outcomes: list[str]) -> Task:
        lines = [f"r{len(self.rows)}-{index},{what}" for index, what in enumerate(outcomes)]
        task = engine.submit("add", "name,do", *lines, account=self.account)
        self.rows[task.pk] = lines
        return task

    @rule(task=tasks)
    def start(self, task: Task) -> None:
        self.attempt(lifecycle.start, task)

    @rule(task=tasks)
    def stop(self, task: Task) -> None:
        self.attempt(lifecycle.stop, task)
        for stopped in Task.objects.filter(pk=task.pk, status="stopped"):
            counts = (stopped.success_count, stopped.failure_count)
            assert self.counts_at_stop.setdefault(task.pk, counts) == counts

    @rule(task=tasks)
    def break_down(self, task: Task) -> None:
        """End a task with a fault outside of its rows."""
        for found in Segment.objects.filter(task=task.pk)[:1]:
            ending.end_as_broken(found, "something broke", "something")

    @rule(task=tasks)
    def retry(self, task: Task) -> None:
        self.attempt(lifecycle.retry, task)

    @rule(task=tasks)
    def delete(self, task: Task) -> None:
        self.attempt(lifecycle.remove, task)

    def attempt(self, act: Callable[..., None], task: Task) -> None:
        found = Task.objects.filter(pk=task.pk).first()
        if found is None:
            return
        with suppress(PistonError):
            act(found, engine.TESTER)

    @rule(index=st.integers(0, 3), places=st.none() | st.integers(0, 14))
    def deliver(self, index: int, places: int | None) -> None:
        """Deliver a message, perhaps out of order, to a worker that perhaps dies."""
        if index >= len(self.broker.queue):
            return
        self.fuse.left = places
        with suppress(Killed):
            self.broker.deliver(index)
        self.fuse.left = None

    @rule()
    def freeze_a_worker(self) -> None:
        """Let a worker claim a segment and then freeze."""
        segment = claiming.claim_next("frozen", 20)
        run = segment and worker.prepare(segment)
        if run:
            self.frozen.append(run)

    @rule(index=st.integers(0, 2))
    def thaw_a_worker(self, index: int) -> None:
        """Let the frozen worker continue with its old state."""
        if index >= len(self.frozen):
            return
        with closing(self.frozen.pop(index)) as run, suppress(PistonError, Task.DoesNotExist):
            batches.run_next_batch(run)

    @rule()
    def lose_messages(self) -> None:
        self.broker.queue.clear()

    @rule()
    def repeat_messages(self) -> None:
        self.broker.queue *= 2

    @rule()
    def let_claims_expire(self) -> None:
        past = database_time(-1)
        Segment.objects.exclude(claimed_until=None).update(claimed_until=past)
        Task.objects.exclude(assembly_until=None).update(assembly_until=past)

    @rule()
    def sweep(self) -> None:
        long_ago = database_time(LONG_AGO)
        Task.objects.exclude(dispatched_at=None).update(dispatched_at=long_ago)
        sweeping.sweep()

    @invariant()
    def counts_rows_and_cursors_agree(self) -> None:
        for task in Task.objects.all():
            engine.assert_balanced(task)

    @invariant()
    def final_tasks_have_their_output(self) -> None:
        for task in Task.objects.filter(status__in=FINAL):
            assert len(engine.read(task)) == 1 + task.success_count + task.failure_count

    @invariant()
    def counts_of_stopped_tasks_are_final(self) -> None:
        for task in Task.objects.filter(pk__in=self.counts_at_stop, status="stopped"):
            assert (task.success_count, task.failure_count) == self.counts_at_stop[task.pk]

    @invariant()
    def what_the_account_keeps_is_counted(self) -> None:
        tasks = Task.objects.visible().filter(account=self.account)
        files = TaskCSV.objects.filter(task__in=tasks).values_list("size_bytes", flat=True)
        usage = AccountUsage.objects.filter(pk=self.account.pk).first() or AccountUsage()
        assert (usage.task_count, usage.stored_bytes) == (tasks.count(), sum(files))

    @invariant()
    def histories_are_legal(self) -> None:
        for event in TaskEvent.objects.exclude(old_status=""):
            assert (event.old_status, event.new_status) in LEGAL

    def teardown(self) -> None:
        """Finish all work; then each row must have taken effect as often as its task says."""
        while self.frozen:
            self.thaw_a_worker(0)
        for _ in range(4):
            self.let_claims_expire()
            TaskCSV.objects.filter(is_given_up=True).update(kept_until=database_time(-1))
            self.sweep()
            self.broker.deliver_all()
        assert not Task.objects.filter(status="executing").exists()
        assert not Task.objects.filter(status="removed").exists()
        assert not TaskCSV.objects.filter(task=None).exists()
        happened = Counter(Account.objects.exclude(parent=None).values_list("name", flat=True))
        assert not [name for name, times in happened.items() if times > 1]
        for task in Task.objects.all():
            self.reconcile(task, happened)

    def reconcile(self, task: Task, happened: Counter[str]) -> None:
        has_parts = Part.objects.filter(task=task).exists()
        assert not has_parts or task.status == "pending" or task.may_be_retried
        lines = self.rows[task.pk]
        if task.status == "pending":
            assert not any(happened[line.split(",")[0]] for line in lines)
            return
        output = engine.read(task)[1:]
        assert [row[0] for row in output] == [line.split(",")[0] for line in lines[: len(output)]]
        assert all(bool(row[-1]) == bool(row[1]) for row in output)
        for row in output:
            assert happened[row[0]] == (not row[-1])
        for line in lines[len(output) :]:
            assert happened[line.split(",")[0]] == 0
        if len(output) < len(lines):
            assert task.status in {"stopped", "internal_error"}
            left = engine.read(task, "unprocessed.csv")[1:]
            assert [",".join(row) for row in left] == lines[len(output) :]

    def clean_up(self) -> None:
        TaskCSV.objects.update(task=None, kept_until=database_time(-1))
        Task.objects.all().delete()
        expiry.delete_orphaned_files()
        AccountTurn.objects.all().delete()
        TaskEvent.objects.all()._raw_delete(using="default")
        Account.objects.exclude(parent=None).delete()
        Account.objects.all().delete()


@pytest.mark.django_db(transaction=True)
def test_no_history_loses_or_repeats_a_row(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    broker = FakeBroker()
    monkeypatch.setattr(sending, "send", broker.send)
    monkeypatch.setattr(Histories, "broker", broker, raising=False)
    monkeypatch.setattr(Histories, "fuse", Fuse(monkeypatch), raising=False)
    examples = int(request.config.getoption("--histories"))

    run_state_machine_as_test(
        Histories,
        settings=settings(
            max_examples=examples,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
            phases=[Phase.generate],  # a history that fails is printed; shrinking takes minutes
            print_blob=True,
        ),
    )
