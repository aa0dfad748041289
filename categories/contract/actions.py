"""The base classes of categories and actions, which plugins subclass."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from django.utils import timezone

from categories.columns import Column
from categories.columns.arguments import Declared
from categories.contract import declaring
from categories.contract.circuit_breaker import CircuitBreaker
from categories.contract.outcomes import (
    JSON,
    Outcome,
    Page,
    RowFailed,
    Succeeded,
)
from categories.contract.rows import Row
from categories.contract.settings import NO_SETTINGS, Setting, Settings
from categories.locations import Location

if TYPE_CHECKING:
    from piston.accounts.models import Account


class Effects(enum.Enum):
    """The effects of a batch, which decide what happens after a crash (design §5)."""

    NONE = "none"  # only reads; the batch runs again
    DATABASE = "database"  # writes to the database in the ledger's transaction: exactly once
    EXTERNAL = "external"  # calls the outside; each row is journaled before it is sent


@dataclass(frozen=True)
class Context:
    """The task that an action works for; all that it may know beyond its rows."""

    account_id: str  # the account that owns the task
    auth_account_id: str  # the account that created the task, whose rights count
    task_id: str
    effect_key: str | None = None  # of an external row; stays the same after crashes and retries
    database: str = "default"  # alias of the connection with the batch's transaction
    now: Callable[[], datetime] = timezone.now
    settings: Settings = NO_SETTINGS  # of the action's category

    @cached_property
    def account(self) -> Account:
        """The account that owns the task; read once."""
        return self._read_account(self.account_id)

    @cached_property
    def auth_account(self) -> Account:
        """The account that created the task; read once."""
        return self._read_account(self.auth_account_id)

    def _read_account(self, account_id: str) -> Account:
        from piston.accounts.models import Account

        return Account.objects.using(self.database).get(pk=account_id)


# ---- What a plugin declares ----------------------------------------------------------------------


class Action:
    """One thing a category can do; subclass RowAction or PageAction.

    The docstring's first line is the description, the rest the doc. Declare a mere base class as
    abstract: `class Lookup(RowAction, abstract=True)`.
    """

    name: ClassVar[str] = ""  # default: the class name in snake_case
    description: ClassVar[str] = ""
    doc: ClassVar[str] = ""
    columns: ClassVar[Sequence[Column[Any]]] = ()  # collected in order of declaration
    output: ClassVar[Sequence[Column[Any]]] = ()
    errors: ClassVar[Sequence[str]] = ()  # what its rows fail with; {braces} stand for any value
    replaces_header: ClassVar[bool] = False
    effects: ClassVar[Effects] = Effects.DATABASE
    idempotent: ClassVar[bool] = False  # EXTERNAL only: may be repeated with the same effect key
    max_attempts: ClassVar[int] = 6  # idempotent only: for a row without an answer
    retry_seconds: ClassVar[float] = 3_600.0  # idempotent only: after the first attempt
    ordered: ClassVar[bool] = True
    concurrency: ClassVar[int] = 1  # EXTERNAL only: rows that a process sends at a time
    circuit_breaker: ClassVar[CircuitBreaker | None] = CircuitBreaker()  # EXTERNAL only
    rows_per_second: ClassVar[float | None] = None  # over all workers; None: no rate limit
    account_rows_per_second: ClassVar[float | None] = None  # the same, for each account
    row_seconds: ClassVar[float] = 10.0  # time-out of a row
    max_workers: ClassVar[int | None] = None  # per task; None: no limit
    batch_size: ClassVar[int] = 10_000  # most rows of a batch; its duration may limit it further

    takes_input: ClassVar[bool] = False
    abstract: ClassVar[bool] = True

    def __init_subclass__(cls, *, abstract: bool = False, **options: Any) -> None:
        declaring.begin(cls, options)
        super().__init_subclass__(**options)
        cls.abstract = abstract
        declaring.declare_action(cls)

    def permitted(self, context: Context) -> None:
        """Raise Refused if the task may not run; called once, before the first row."""

    def finish(self, context: Context) -> None:
        """Finish the task after the last row, in the transaction that ends it."""

    @classmethod
    def find_kind_problems(cls) -> Iterator[str]:
        """Yield a sentence for each problem of an action of this kind."""
        yield "it is neither a RowAction nor a PageAction"


class RowAction(Action, abstract=True):
    """An action that processes input rows, one at a time or a batch at once."""

    takes_input = True

    @classmethod
    def find_kind_problems(cls) -> Iterator[str]:
        """Yield a sentence for each problem of an action with input."""
        if not cls.columns:
            yield "an action with input declares at least one column"
        if cls.process is RowAction.process and cls.process_batch is RowAction.process_batch:
            yield "neither process nor process_batch is there"
        elif cls.effects is Effects.EXTERNAL and cls.process is RowAction.process:
            yield "an action with EXTERNAL effects has process: its rows are sent one at a time"
        elif cls.effects is Effects.EXTERNAL and cls.process_batch is not RowAction.process_batch:
            yield "process_batch is never called: rows with EXTERNAL effects are sent one at a time"
        if cls.concurrency != 1 and cls.ordered:
            yield "concurrency is for actions with ordered = False"

    def process(self, row: Row, context: Context) -> Outcome | None:
        """Process one row: return Succeeded (None means Succeeded()), or raise RowFailed."""
        raise NotImplementedError

    def process_batch(self, rows: Sequence[Row], context: Context) -> list[Outcome]:
        """Process a batch; return one outcome per row, in their order."""
        return [self._outcome_of(row, context) for row in rows]

    def _outcome_of(self, row: Row, context: Context) -> Outcome:
        try:
            return self.process(row, context) or Succeeded()
        except RowFailed as failed:
            return failed


class PageAction(Action, abstract=True):
    """An action without input, which returns its output page by page."""

    effects = Effects.NONE

    @classmethod
    def find_kind_problems(cls) -> Iterator[str]:
        """Yield a sentence for each problem of an action without input."""
        if cls.columns:
            yield "an action without input declares no columns"
        if not cls.output:
            yield "an action without input declares its output columns"
        if cls.page is PageAction.page:
            yield "page is not there"
        if cls.effects is Effects.EXTERNAL:
            yield "pages are not journaled, so that an action without input is never EXTERNAL"

    def total(self, context: Context) -> int | None:
        """Return how many rows to expect, to show progress; called before the first page."""
        return None

    def page(self, cursor: JSON | None, context: Context) -> Page:
        """Return the page at the cursor; None means the first page."""
        raise NotImplementedError


@dataclass(frozen=True)
class PeriodicJob(metaclass=Declared):
    """A job that a category runs once in every minute, hour or day (UTC).

    `run` gets the time at which the job was due. The transaction of the job also records the run.
    A crash undoes both, and the next sweep runs the job again.
    """

    name: str
    every: Literal["minute", "hour", "day"]
    run: Callable[[datetime], None]
    description: str
    location: ClassVar[Location]  # of its declaration


class Category:
    """A plugin: a name, a version, and the actions it offers."""

    name: ClassVar[str] = ""
    version: ClassVar[str] = ""  # only workers with this version run its tasks, except:
    continues: ClassVar[tuple[str, ...]] = ()  # older versions, whose tasks this one goes on with
    description: ClassVar[str] = ""
    doc: ClassVar[str] = ""
    actions: ClassVar[Sequence[type[Action]]] = ()
    periodic: ClassVar[Sequence[PeriodicJob]] = ()
    settings: ClassVar[Mapping[str, Setting]] = {}  # variables PISTON_{CATEGORY}_{NAME}

    def __init_subclass__(cls, **options: Any) -> None:
        declaring.begin(cls, options)
        super().__init_subclass__(**options)
        declaring.declare_category(cls)

    @classmethod
    def read_settings(cls) -> Settings:
        """Return the values of the settings, for periodic jobs; actions have `context.settings`."""
        return Settings(lambda: cls)


def fits(category: type[Category], version: str) -> bool:
    """Say whether a task that was created under a version can run under this category's."""
    return version == category.version or version in category.continues
