"""What is an action's run in a test? All its batches or pages, each in a transaction of its own."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any, cast

from django.db import connections, transaction
from django.utils import timezone

from categories.contract import (
    Action,
    Cells,
    Context,
    Effects,
    Outcome,
    PageAction,
    Refused,
    Row,
    RowAction,
    RowFailed,
    StopTask,
    Succeeded,
)
from categories.rows import OutputShape, RowShape, row_number
from piston.accounts.models import Account

Rows = str | Sequence[Mapping[str, Any]]  # CSV text with its header, or a mapping per row
Boundary = Callable[[str], None]  # told where the run is; it may raise

TASK_ID = "0" * 30
NOBODY = "0" * 32  # an account id, for actions that never look


@dataclass
class Ran:
    """What came of a run."""

    header: list[str] = field(default_factory=list)
    lines: list[list[str]] = field(default_factory=list)  # of the output, without the header
    outcomes: list[Outcome] = field(default_factory=list)
    refused: str = ""  # the reason; "" when it was permitted
    stopped: str = ""  # the reason; "" when it came to its end

    @property
    def failures(self) -> list[str]:
        """The messages of the rows that failed, in order."""
        return [outcome.message for outcome in self.outcomes if isinstance(outcome, RowFailed)]

    @property
    def cells(self) -> list[dict[str, str]]:
        """The lines of the output by column."""
        return [dict(zip(self.header, line, strict=True)) for line in self.lines]


def make_context(
    account: Account | None, auth_account: Account | None, now: datetime | None
) -> Context:
    """Return the context of a task of `account`, created by `auth_account`, at `now`."""
    moment = now or timezone.now()
    acting = auth_account or account
    return Context(
        account_id=account.pk if account else NOBODY,
        auth_account_id=acting.pk if acting else NOBODY,
        task_id=TASK_ID,
        now=lambda: moment,
    )


class Died(BaseException):
    """A worker was killed; no plugin can catch it by accident."""


class Trial:
    """One run of an action; `boundary` hears of every point at which a worker may die."""

    def __init__(
        self,
        action: type[Action],
        rows: Rows,
        context: Context,
        batch_size: int | None = None,
        boundary: Boundary = lambda _: None,
    ) -> None:
        self.action = action
        self.context = context
        self.boundary = boundary
        self.batch_size = batch_size or action.batch_size
        if action.effects is Effects.EXTERNAL:
            self.batch_size = 1
        self.header, self.cells = read_rows(action, rows)
        self.shape = OutputShape(action, self.header)
        self.ran = Ran(header=self.shape.header)

    def run(self) -> Ran:
        """Ask permission, work off all batches or pages, finish."""
        try:
            self.action().permitted(self.context)
        except Refused as refused:
            self.ran.refused = refused.reason
            return self.ran
        try:
            if self.action.takes_input:
                self._run_batches()
            else:
                self._run_pages()
            self._attempt("finish", lambda: self.action().finish(self.context))
        except StopTask as stop:
            self.ran.stopped = stop.reason
        return self.ran

    def _run_batches(self) -> None:
        for start in range(0, len(self.cells), self.batch_size):
            self._run_batch(self.cells[start : start + self.batch_size], start + 1)

    def _run_batch(self, cells: list[list[str]], first_number: int) -> None:
        rows = RowShape(self.action, self.header).parse_batch(cells, first_number)
        try:
            outcomes = self._attempt(f"the batch at row {first_number}", partial(self._work, rows))
        except StopTask as stop:
            if len(cells) == 1:
                self._write(RowFailed(stop.reason), cells[0])
                raise
            # nothing of the batch is kept; row by row it comes to the one that stopped it
            for number, line in enumerate(cells, first_number):
                self._run_batch([line], number)
            return
        for line, outcome in zip(cells, outcomes, strict=True):
            self._write(outcome, line)

    def _work(self, rows: Sequence[Row | RowFailed]) -> list[Outcome]:
        """Return an outcome for each row; those that a column rejected do not reach the action."""
        good = [row for row in rows if not isinstance(row, RowFailed)]
        answers = self._process(good) if good else []
        if len(answers) != len(good):
            raise AssertionError(f"{len(answers)} outcomes for {len(good)} rows")
        answered = iter(answers)
        return [row if isinstance(row, RowFailed) else next(answered) for row in rows]

    def _process(self, rows: Sequence[Row]) -> list[Outcome]:
        action = cast("RowAction", self.action())
        if self.action.effects is Effects.EXTERNAL:
            key = f"{TASK_ID}-{row_number(rows[0])}"
            return action.process_batch(rows, replace(self.context, effect_key=key))
        if self.action.process_batch is not RowAction.process_batch:  # type: ignore[attr-defined]
            return action.process_batch(rows, self.context)
        return [self._process_alone(action, row) for row in rows]

    def _process_alone(self, action: RowAction, row: Row) -> Outcome:
        """Work off one row; what it wrote before it failed is undone."""
        try:
            with self._transaction():
                return action.process(row, self.context) or Succeeded()
        except RowFailed as failed:
            return failed

    def _run_pages(self) -> None:
        cursor: Any = None
        while True:
            read = partial(cast("PageAction", self.action()).page, cursor, self.context)
            page = self._attempt(f"the page at {cursor}", read)
            self._write(Succeeded.many(page.rows), [])
            if page.cursor is None:
                return
            last, cursor = cursor, json.loads(json.dumps(page.cursor))  # as the database keeps it
            if cursor == last:
                raise AssertionError(f"the cursor stays at {cursor}: the task would never end")

    def _attempt(self, what: str, work: Callable[[], Any]) -> Any:
        """Do one batch in a transaction; a worker that dies is replaced, until nobody dies."""
        while True:
            try:
                with self._transaction():
                    self.boundary(f"before {what}")
                    with self._watched(what):
                        answer = work()
                    self.boundary(f"after {what}")
            except Died:
                continue
            return answer

    def _transaction(self) -> AbstractContextManager[Any]:
        if self.action.effects is Effects.DATABASE:
            return transaction.atomic(using=self.context.database)
        return nullcontext()

    @contextmanager
    def _watched(self, what: str) -> Iterator[None]:
        """Make each statement that the action sends a boundary, too."""

        def before(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
            self.boundary(f"within {what}, before {sql[:40]}…")
            return execute(sql, *arguments)

        with connections[self.context.database].execute_wrapper(before):
            yield

    def _write(self, outcome: Outcome, line: Sequence[str]) -> None:
        self.ran.outcomes.append(outcome)
        kept = list(line) if self.shape.keeps_input else []
        if isinstance(outcome, RowFailed):
            self.ran.lines.append(kept + self.shape.failed_cells(outcome.message, line))
            return
        rows: Iterable[Cells] = outcome.rows
        if self.action.takes_input:
            rows = rows or ((),)  # a row without output still has its line
        self.ran.lines += [kept + self.shape.succeeded_cells(cells, line) for cells in rows]


def read_rows(action: type[Action], rows: Rows) -> tuple[list[str], list[list[str]]]:
    """Return header and cells; raise ValueError for a column that the action does not declare."""
    if isinstance(rows, str):
        header, *cells = list(csv.reader(io.StringIO(rows, newline="")))
    else:
        header = list(dict.fromkeys(name for row in rows for name in row))
        cells = [[to_cell(row.get(name)) for name in header] for row in rows]
    unknown = set(header) - {column.name for column in action.columns}
    if unknown:
        raise ValueError(f"{action.__name__} declares no column {', '.join(sorted(unknown))}.")
    return header, cells


def to_cell(value: Any) -> str:
    """Return a value of a test's row as the text that stands in a file."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
