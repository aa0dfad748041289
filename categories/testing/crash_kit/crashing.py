"""Kills an action's worker at every boundary; its effects must equal those of a normal run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from time import monotonic
from types import MappingProxyType
from typing import Any

from django.db import models

from categories.contract import Action, Effects, Settings
from categories.running.failures import Stopping
from categories.testing.crash_kit.calls import AnswerFault, Call, Calls
from categories.testing.crash_kit.declared_errors import check_failures
from categories.testing.crash_kit.differences import (
    RunResult,
    compare,
    compare_bad_answer,
    compare_calls,
)
from categories.testing.crash_kit.fault_injection import (
    DiesOnce,
    FailsAtFirst,
    FaultInjector,
    HasBadRow,
)
from categories.testing.crash_kit.input_rows import Rows
from categories.testing.crash_kit.isolated_runs import IsolatedRuns, refuse_unobserved
from categories.testing.crash_kit.sampling import DEFAULT_SECONDS, Planned, Sampling, Survived
from categories.testing.crash_kit.trials import make_context
from categories.testing.crash_kit.watching import Watched, models_of
from piston.accounts.models import Account

MakeFault = Callable[[], FaultInjector]

MAX_SHORT_ROWS = 1_000  # of a file that is run one row, and three rows, at a time
LONG_BATCHES = 100  # of a longer file, which would take too long in batches of one row


def assert_survives_crashes(
    action: type[Action],
    rows: Rows = (),
    *,
    account: Account | None = None,
    auth_account: Account | None = None,
    now: datetime | None = None,
    batch_size: int | None = None,
    page_size: str = "",
    tables: Sequence[type[models.Model]] | None = None,
    ignoring: Sequence[str] = (),
    watching: Sequence[Any] = (),
    calls: Calls | None = None,
    settings: Mapping[str, Any] = MappingProxyType({}),
    seconds: float | None = DEFAULT_SECONDS,
) -> Survived:
    """Run an action undisturbed, then once per boundary with a worker that dies there.

    Another worker, with a new action object, continues at the ledger's cursor, in batches of
    another size. In further runs, batches fail as a whole and are halved, and each row is bad
    once. Raises AssertionError if the output, the `tables` (default: the models of the action's
    app) or the things in `watching` differ from the undisturbed run, or if the action has effects
    that no transaction undoes. `ignoring` names fields that may differ. `page_size` is the dotted
    path of the constant for the size of pages. `calls` replaces what an EXTERNAL action calls.
    `settings` has values for the settings of the action's category.
    Returns how many deaths the action survived. Everything is rolled back.

    If all runs would take longer than `seconds`, as many as fit are made, evenly spread; the text
    of the result says how many. None makes all of them.
    """
    sampling = Sampling(action.__name__, seconds)
    refuse_unobserved(action, watching, calls)
    runs = IsolatedRuns(
        action=action,
        rows=rows,
        context=make_context(account, auth_account, now, Settings.of_action(action, settings)),
        tables=models_of(action) if tables is None else tables,
        ignoring=ignoring,
        watched=Watched(watching),
        calls=calls,
        page_size=page_size,
    )
    try:
        return CrashTest(runs, batch_size, sampling).run()
    finally:
        runs.watched.restore()


@dataclass
class CrashTest:
    """All the runs of one action."""

    runs: IsolatedRuns
    batch_size: int | None
    sampling: Sampling

    def __post_init__(self) -> None:
        self.action, self.calls = self.runs.action, self.runs.calls
        row_count = self.runs.count_rows()
        is_long = self.batch_size is None and row_count > MAX_SHORT_ROWS
        self.smallest = row_count // LONG_BATCHES if is_long else 1
        self.size = self.batch_size or 3 * self.smallest

    def run(self) -> Survived:
        """Run everything; raise AssertionError at the first fault."""
        started = monotonic()
        expected = self._run_undisturbed()
        run_seconds = (monotonic() - started) / 2
        return self.sampling.go_through(list(self._plan(expected)), run_seconds)

    def _plan(self, expected: RunResult) -> Iterator[Planned]:
        """Yield all trials, the most telling ones first."""
        size, small = self.size, self.smallest
        if self.action.effects is Effects.EXTERNAL and self.action.takes_input:
            size = min(size, self.action.concurrency)
            if size > 1:
                yield Planned(partial(self._try_size, expected, 1))
            yield from self._die_everywhere(expected, self._no_fault, "", size, 1)
            yield from self._lose_answers(expected)
            return
        if not self.action.takes_input and not self.runs.page_size:
            yield from self._die_everywhere(expected, self._no_fault, "", size, size)
            return
        yield from self._resize(expected)
        yield from self._die_everywhere(expected, self._no_fault, "", size, small)
        yield from self._die_everywhere(expected, self._no_fault, "", small, size)
        if self.action.takes_input:
            fault = "each batch failing when it is run for the first time"
            yield from self._die_everywhere(expected, self._fail_batches_once, fault, size, small)
            yield from self._fail_each_row(expected)

    def _run_undisturbed(self) -> RunResult:
        """Return the result of a run without faults; raise AssertionError if it shows nothing."""
        injector = self._no_fault()
        name = self.action.__name__
        try:
            expected = self.runs.run(self.size, injector)
        finally:
            if injector.leaks:  # report it first: it may be the cause of the exception
                raise AssertionError(f"{name}: {injector.leaks[0]}")
        if expected.ran.refused:
            raise AssertionError(f"{name} was refused ({expected.ran.refused}): nothing to crash.")
        if self.action.takes_input and len(expected.ran.failures) == len(expected.ran.outcomes):
            raise AssertionError(
                f"{name}: every row failed ({expected.ran.failures[:1]}), so that a crash could"
                " not do any harm. Give it rows that succeed, too."
            )
        check_failures(self.action, expected.ran)
        if self.calls is not None:
            expected.check_calls(self.action, has_world=bool(self.runs.watched.things))
        again = self.runs.run(self.size, self._no_fault())
        compare(
            expected,
            again,
            f"{name}, run a second time, without any crash, leaves something else: it depends on"
            " the clock (use context.now), on chance, or on what outlives a run (a global, a"
            " file, another connection)",
        )
        return expected

    def _resize(self, expected: RunResult) -> Iterator[Planned]:
        """Compare with batches, or pages, of other sizes."""
        small = self.smallest
        for size in dict.fromkeys((small, 2 * small, self.size + 1, 1_000 * small)):
            if size != self.size:
                yield Planned(partial(self._try_size, expected, size))

    def _try_size(self, expected: RunResult, size: int) -> None:
        left = self.runs.run(size, self._no_fault())
        compare(expected, left, f"{self._in(size)}, nobody dying")

    def _fail_each_row(self, undisturbed: RunResult) -> Iterator[Planned]:
        """Make each row bad in turn; for the middle one, also kill the worker at all boundaries.

        In a long file, only one row of each of the smallest batches is made bad.
        """
        outcomes = undisturbed.ran.outcomes
        middle = (len(outcomes) - 1) // 2 // self.smallest * self.smallest + 1
        for number in range(1, len(outcomes) + 1, self.smallest):
            if isinstance(outcomes[number - 1], Stopping):
                break  # the rows from here on do not run
            yield Planned(partial(self._try_bad_row, number))
            if number == middle:
                make_fault = partial(HasBadRow, self.action.effects, number)
                left = self.runs.run(self.size, make_fault())
                yield from self._die_everywhere(
                    left, make_fault, f"row {number} being bad", self.size, self.smallest
                )

    def _try_bad_row(self, number: int) -> None:
        left = self.runs.run(self.size, HasBadRow(self.action.effects, number))
        where = (
            f"{self._in(self.size)}, row {number} being bad, compared with a run without that row"
        )
        without = self.runs.run(self.size, self._no_fault(), without=number)
        compare(without.without_row(number), left.without_row(number), where)

    def _die_everywhere(
        self, expected: RunResult, make_fault: MakeFault, fault: str, size: int, resume_size: int
    ) -> Iterator[Planned]:
        """Kill the worker at each boundary in turn; at last, compare a run in which nobody dies."""
        survivor = DiesOnce(0, make_fault())
        survived = self.runs.run(size, survivor, resume_size=resume_size)

        def check(death: DiesOnce, left: RunResult) -> None:
            going_on = f"(the next one went on, {name_size(resume_size)})"
            died = f"the worker dying {death.where} {going_on}" if death.where else "nobody dying"
            where = ", ".join(filter(None, (self._in(size), fault, died)))
            if death.leaks:
                raise AssertionError(f"{where}: {death.leaks[0]}")
            if self.calls is None or not self.action.takes_input:
                compare(expected, left, where)
            else:
                compare_calls(self.action, expected, left, where)

        def die(at: int) -> None:
            death = DiesOnce(at, make_fault())
            left = self.runs.run(size, death, resume_size=resume_size)
            check(death, left)

        for at in range(1, survivor.seen + 1):
            yield Planned(partial(die, at), is_death=True)
        yield Planned(partial(check, survivor, survived), is_done=True)

    def _lose_answers(self, expected: RunResult) -> Iterator[Planned]:
        """Lose or blur the answer to each call in turn, while the worker lives.

        Do it once, and then for all attempts: only the latter shows the action's final outcome.
        """
        for place, call in enumerate(expected.calls):
            for bad in self.calls.bad_answers(call) if self.calls else ():
                for is_permanent in (False, True):
                    fault = AnswerFault(place, call.row_number, bad, is_permanent=is_permanent)
                    yield Planned(partial(self._try_bad_answer, expected, call, fault))

    def _try_bad_answer(self, expected: RunResult, call: Call, fault: AnswerFault) -> None:
        left = self.runs.run(1, self._no_fault(), answer_fault=fault)
        compare_bad_answer(self.action, expected, left, call, fault)

    def _no_fault(self) -> FaultInjector:
        return FaultInjector(self.action.effects, self.calls)

    def _fail_batches_once(self) -> FaultInjector:
        return FailsAtFirst(self.action.effects, self.calls)

    def _in(self, size: int) -> str:
        return f"{self.action.__name__}, {name_size(size)}"


def name_size(size: int) -> str:
    """Return the words for a batch or page size in messages."""
    return "one row at a time" if size == 1 else f"{size} rows at a time"
