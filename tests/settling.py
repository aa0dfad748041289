"""How do tests of settling get indeterminate rows, decide about them and check the files?"""

from __future__ import annotations

from tasks_app import quotas
from tasks_app.files import task_files
from tasks_app.indeterminate import decisions
from tasks_app.models import CSVName, Decision, Effect, Task, TaskCSV
from tasks_app.models.clock import database_time
from tasks_app.upkeep import sweeping
from tests import engine
from tests.broker import FakeBroker

STAFF = engine.Actor("staff:anna", "request-1")


def ended(broker: FakeBroker, *outcomes: str, action: str = "send") -> Task:
    """Return a task of one row per outcome that has ended; "crash" makes one indeterminate."""
    lines = [f"n{number},{outcome}" for number, outcome in enumerate(outcomes, start=1)]
    task = engine.start(engine.submit(action, "name,do", *lines))
    broker.deliver_all()
    return engine.fresh(task)


def decide(task: Task, decision: str, *rows: int, note: str = "") -> decisions.Verdict:
    """Decide as staff do; messages are on their way afterwards."""
    return decisions.decide(engine.fresh(task), rows, Decision(decision), STAFF, note)


def settle(broker: FakeBroker, task: Task, decision: str, *rows: int) -> Task:
    """Decide, and let workers carry it out."""
    assert not decide(task, decision, *rows).refused
    broker.deliver_all()
    return engine.fresh(task)


def let_time_pass() -> None:
    """Let claims and messages be of long ago."""
    past = database_time(-60)
    Task.objects.exclude(assembly_until=None).update(assembly_until=past)
    Task.objects.exclude(dispatched_at=None).update(dispatched_at=past)


def recover(broker: FakeBroker) -> None:
    """Let sweepers and workers put right what was cut off; the broker has lost everything."""
    broker.queue.clear()
    for _ in range(3):
        let_time_pass()
        sweeping.sweep()
        broker.deliver_all()


def errors(task: Task) -> list[str]:
    """Return the error cell of each row."""
    return [row[-1] for row in engine.read(task)[1:]]


def counts(task: Task) -> tuple[int, int, int]:
    """Return how many rows succeeded, failed, and of the failed are indeterminate."""
    task = engine.fresh(task)
    return task.success_count, task.failure_count, task.indeterminate_count


def assert_counts_equal_files(task: Task) -> None:
    """Check the ledger's promise for an assembled task whose rows have one line each."""
    found = errors(task)
    unknown = sum(error.startswith("indeterminate: ") for error in found)
    assert counts(task) == (found.count(""), len(found) - found.count(""), unknown)
    failed = [
        row[:2]
        for row in engine.read(task)[1:]
        if row[-1] and not row[-1].startswith("indeterminate: ")
    ]
    has_file = CSVName.FAILED in task_files.csv_names(engine.fresh(task))
    assert (engine.read(task, "failed.csv")[1:] if has_file else []) == failed
    for csv_file in TaskCSV.objects.filter(task=task):
        content = b"".join(task_files.open_file(engine.fresh(task), csv_file.name).read())
        assert csv_file.size_bytes == len(content)
        assert csv_file.row_count == content.count(b"\n") - 1
    assert engine.fresh(task).stored_bytes == quotas.stored_bytes_of(task)


def effect(task: Task, row: int) -> Effect:
    """Return the journal's entry of a row."""
    return Effect.objects.get(task=task, row_number=row)
