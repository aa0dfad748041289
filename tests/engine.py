"""How do tests of the engine submit, run and read tasks?"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import closing, contextmanager

from categories import registry
from piston.accounts.models import Account
from tasks_app import creating, lifecycle
from tasks_app.events import Actor
from tasks_app.execution import claiming, worker
from tasks_app.execution.runs import Run
from tasks_app.files import task_files
from tasks_app.models import Part, Task
from tests.factories import AccountFactory

TESTER = Actor("account:tester", "a-request")


def submit(action: str, *lines: str, account: Account | None = None) -> Task:
    """Submit a task of the trial category: CSV lines with their header, or none."""
    account = account or AccountFactory.create()
    category, action_class = registry.get_action("trial", action)
    order = creating.Order(account, account, category, action_class, TESTER)
    if not lines:
        return creating.submit_without_input(order)
    return creating.submit_csv(order, io.BytesIO("\n".join(lines).encode() + b"\n"))


def start(task: Task) -> Task:
    """Start it as a person would."""
    lifecycle.start(task, TESTER)
    return task


@contextmanager
def claimed(message_id: str) -> Iterator[Run]:
    """Claim the next segment, as a worker does that is then at the test's mercy."""
    segment = claiming.claim_next(message_id, 20)
    assert segment is not None
    run = worker.prepare(segment)
    assert run is not None
    with closing(run):
        yield run


def read(task: Task, name: str = "out.csv") -> list[list[str]]:
    """Return the rows of a file, its header first."""
    content = b"".join(task_files.open_file(fresh(task), name).read())
    return list(csv.reader(io.StringIO(content.decode(), newline="")))


def fresh(task: Task) -> Task:
    """Return the task as the database has it now."""
    return Task.objects.get(pk=task.pk)


def assert_balanced(task: Task) -> None:
    """Check the ledger's invariant: counts = rows in parts = rows before the cursors."""
    task = fresh(task)
    if task.is_assembled and not task.may_be_retried:
        return
    in_parts = sum(Part.objects.filter(task=task).values_list("row_count", flat=True))
    before_cursors = sum(segment.cursor_row - segment.start_row for segment in task.segments.all())
    assert task.success_count + task.failure_count == in_parts == before_cursors
