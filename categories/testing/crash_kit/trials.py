"""Runs an action in a test, with workers and batches as in a task and a ledger in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, cast

from django.db import transaction
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
    Settings,
    StopTask,
    Succeeded,
)
from categories.contract.rows import OutputShape, RowShape
from categories.contract.settings import NO_SETTINGS
from categories.running import permission
from categories.running.cursors import find_cursor_problem
from categories.running.failures import Indeterminate, Stopping
from categories.testing.crash_kit.batch_trials import BatchTrial
from categories.testing.crash_kit.fault_injection import Caught, Died, FaultInjector
from categories.testing.crash_kit.input_rows import Rows, read_rows
from categories.testing.crash_kit.sending_trials import SendingTrial
from piston.accounts.models import Account

TASK_ID = "0" * 30
NO_ACCOUNT = "0" * 32  # an account id, for actions that never read the account


@dataclass
class Ran:
    """The result of a run."""

    header: list[str] = field(default_factory=list)
    lines: list[list[str]] = field(default_factory=list)  # of the output, without the header
    outcomes: list[Outcome] = field(default_factory=list)
    refused: str = ""  # the reason; "" if the task was permitted
    stopped: str = ""  # the reason; "" if the action ran to its end
    total: int | None = None  # how many rows an action without input expects

    @property
    def failures(self) -> list[str]:
        """The messages of the rows that failed, in order."""
        return [outcome.message for outcome in self.outcomes if isinstance(outcome, RowFailed)]

    @property
    def cells(self) -> list[dict[str, str]]:
        """The lines of the output by column."""
        return [dict(zip(self.header, line, strict=True)) for line in self.lines]


def make_context(
    account: Account | None,
    auth_account: Account | None,
    now: datetime | None,
    settings: Settings = NO_SETTINGS,
) -> Context:
    """Return the context of a task of `account`, created by `auth_account`, at `now`."""
    moment = now or timezone.now()
    acting = auth_account or account
    return Context(
        account_id=account.pk if account else NO_ACCOUNT,
        auth_account_id=acting.pk if acting else NO_ACCOUNT,
        task_id=TASK_ID,
        now=lambda: moment,
        settings=settings,
    )


class Trial:
    """One run of an action by one worker after another, each replacing one that died.

    Attributes hold what a task keeps in its ledger; everything else is lost with the worker. The
    injector is told of every point at which a worker may die. With an injector, an exception
    outside the contract fails its row, as in a task. Without one, it is raised.
    """

    def __init__(
        self,
        action: type[Action],
        rows: Rows,
        context: Context,
        batch_size: int | None = None,
        *,
        injector: FaultInjector | None = None,
        resume_size: int | None = None,
        set_page_size: Callable[[int], None] = lambda _: None,
        without: int | None = None,
    ) -> None:
        self.action = action
        self.context = context
        self.is_strict = injector is None
        self.injector = injector or FaultInjector()
        self.batch_size = batch_size or action.batch_size
        self.resume_size = resume_size or self.batch_size
        self.set_page_size = set_page_size
        self.without = without  # number of a row that the action does not get; others keep theirs
        self.header, self.cells = read_rows(action, rows)
        self.row_shape = RowShape(action, self.header)
        self.shape = OutputShape(action, self.header)
        self.ran = Ran(header=self.shape.header)
        self.is_permitted = False
        self.row_count = 0  # committed
        self.page_cursor: Any = None
        self.pages_done = False
        self.sent: frozenset[int] = frozenset()  # the rows in the journal without an outcome
        self.were_sent_at_death: frozenset[int] = frozenset()
        self.is_finished = False

    def run(self) -> Ran:
        """Start a worker; after each death, let another continue."""
        while True:
            try:
                self._work()
            except Died:
                self.were_sent_at_death = self.sent
                self.batch_size = self.resume_size
                self.page_cursor = json.loads(json.dumps(self.page_cursor))  # as the database does
                self.injector.replace_worker()
            else:
                return self.ran

    def _work(self) -> None:
        """Do the work of one worker: ask for permission, run batches or pages, finish."""
        worker = self.action()
        self.set_page_size(self.batch_size)
        if not self.is_permitted and not self._ask(worker):
            return
        while not self.ran.stopped and self.row_count < len(self.cells):
            self._run_batch(cast("RowAction", worker))
        if self._expects_total(worker):
            self._ask_total(cast("PageAction", worker))
        while not self.action.takes_input and not self.pages_done and not self.ran.stopped:
            self._run_page(cast("PageAction", worker))
        if not self.ran.stopped and not self.is_finished:
            self._finish(worker)

    def _ask(self, worker: Action) -> bool:
        self.injector.boundary("before permitted")
        try:
            with self.injector.watch("permitted", self.context, may_write=False):
                permission.ask(worker, self.context)
        except Refused as refused:
            self.injector.boundary("after permitted")
            self.ran.refused = refused.reason
            return False
        self.injector.boundary("after permitted")
        self.is_permitted = True
        return True

    # ---- Rows ------------------------------------------------------------------------------------

    def _run_batch(self, worker: RowAction) -> None:
        external = self.action.effects is Effects.EXTERNAL
        first = self.row_count
        size = min(self.batch_size, self.action.concurrency) if external else self.batch_size
        cells = self.cells[first : first + size]
        rows = self.row_shape.parse_batch(cells, first + 1)
        if self.without is not None and first < self.without <= first + len(rows):
            rows[self.without - first - 1] = RowFailed("left out")
        what = name_rows(first + 1, len(rows))
        self.injector.boundary(f"before {what}")
        outcomes = (
            self._send_group(worker, rows, what) if external else self._try(worker, rows, what)
        )
        self.row_count += len(outcomes)
        self.sent = frozenset(number for number in self.sent if number > self.row_count)
        for line, outcome in zip(cells, outcomes, strict=False):
            self._write(outcome, line)
        last = outcomes[-1]
        if isinstance(last, Stopping):
            self.ran.stopped = last.message
        elif isinstance(last, Indeterminate):
            self.ran.stopped = last.stop_reason or ""
        self.injector.boundary(f"after the commit of {what}")

    def _try(self, worker: RowAction, rows: Sequence[Row | RowFailed], what: str) -> list[Outcome]:
        """Run a batch in its transaction; if that fails, run it again in halves."""
        batch_trial = BatchTrial(
            worker, self.context, self.injector, what, is_strict=self.is_strict
        )
        try:
            with self._transaction():
                outcomes = batch_trial.run(rows)
                self.injector.boundary(f"after {what}, before the commit")
        except Exception as error:
            if not batch_trial.may_be_a_rows_fault(error):
                raise
        else:
            return outcomes
        batch_trial.what = f"{what}, which failed at first and is run in halves"
        with self._transaction():
            outcomes = batch_trial.split(rows)
            self.injector.boundary(f"after {batch_trial.what}, before the commit")
        return outcomes

    def _send_group(
        self, worker: RowAction, rows: Sequence[Row | RowFailed], what: str
    ) -> list[Outcome]:
        """Send rows to the outside, each by a worker's action of its own, as threads do."""
        before = self.sent
        numbers = range(self.row_count + 1, self.row_count + len(rows) + 1)
        good = {n for n, row in zip(numbers, rows, strict=True) if not isinstance(row, RowFailed)}
        self.sent = before | good
        if len(rows) > 1:
            self.injector.boundary(f"after {what} was journaled, before any of it was sent")
        return [
            SendingTrial(
                worker if len(rows) == 1 else type(worker)(),
                replace(self.context, effect_key=f"{TASK_ID}-{number}"),
                self.injector,
                name_rows(number, 1),
                number,
                attempt_count=int(number in before),
                is_strict=self.is_strict,
            ).run(row)
            for number, row in zip(numbers, rows, strict=True)
        ]

    # ---- Pages, and the end ----------------------------------------------------------------------

    def _expects_total(self, worker: Action) -> bool:
        """Say whether the next page is the first, and the action says how many rows there are."""
        is_first = self.page_cursor is None and not self.pages_done
        return is_first and getattr(type(worker), "total", PageAction.total) is not PageAction.total

    def _ask_total(self, worker: PageAction) -> None:
        self.injector.boundary("before total")
        with self.injector.watch("total", self.context, may_write=False):
            self.ran.total = worker.total(self.context)
        self.injector.boundary("after total")

    def _run_page(self, worker: PageAction) -> None:
        last, what = self.page_cursor, f"the page at {self.page_cursor!r}"
        self.injector.boundary(f"before {what}")
        try:
            with self._transaction():
                may_write = self.action.effects is not Effects.NONE
                with self.injector.watch(what, self.context, may_write=may_write):
                    page = worker.page(last, self.context)
                self.injector.boundary(f"after {what}, before the commit")
        except StopTask as stop:
            self.ran.stopped = stop.reason
            return
        if problem := find_cursor_problem(page.cursor, last=last):
            raise Caught(f"The cursor after {what} {problem}.")
        self._write(Succeeded.many(page.rows), [])
        self.page_cursor, self.pages_done = page.cursor, page.cursor is None
        self.injector.boundary(f"after the commit of {what}")

    def _finish(self, worker: Action) -> None:
        self.injector.boundary("before finish")
        has_own = type(worker).finish is not Action.finish  # otherwise no database is needed
        with transaction.atomic(using=self.context.database) if has_own else nullcontext():
            with self.injector.watch("finish", self.context):
                worker.finish(self.context)
            self.injector.boundary("after finish, before the commit")
        self.is_finished = True
        self.injector.boundary("after the commit of finish")

    def _transaction(self) -> AbstractContextManager[Any]:
        if self.action.effects is Effects.DATABASE:
            return transaction.atomic(using=self.context.database)
        return nullcontext()

    def _write(self, outcome: Outcome, line: Sequence[str]) -> None:
        self.ran.outcomes.append(outcome)
        kept = list(line) if self.shape.keeps_line else []
        if isinstance(outcome, RowFailed):
            self.ran.lines.append(kept + self.shape.failed_cells(outcome.message, line))
            return
        rows: Iterable[Cells] = outcome.rows
        if self.action.takes_input:
            rows = rows or ((),)  # a row without output still has its line
        self.ran.lines += [kept + self.shape.succeeded_cells(cells, line) for cells in rows]


def name_rows(first: int, count: int) -> str:
    """Return the name of a batch in messages."""
    return f"row {first}" if count == 1 else f"the batch of rows {first} to {first + count - 1}"
