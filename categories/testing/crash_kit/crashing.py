"""Does an action survive crashes? Killed at every boundary, it must leave what it always leaves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any

from django.db import models

from categories.contract import Action, Effects
from categories.running.failures import Stopping
from categories.testing.crash_kit.calls import Calls, Mishap
from categories.testing.crash_kit.hazards import DiesOnce, FailsAtFirst, HasBadRow, Hazard
from categories.testing.crash_kit.remains import Left, compare, compare_bad_answer, compare_calls
from categories.testing.crash_kit.staging import Stage, refuse_unseen
from categories.testing.crash_kit.trials import Rows, make_context
from categories.testing.crash_kit.watching import Watched, models_of
from piston.accounts.models import Account

MakeFault = Callable[[], Hazard]


def assert_survives_crashes(
    action: type[Action],
    rows: Rows = (),
    *,
    account: Account | None = None,
    auth_account: Account | None = None,
    now: datetime | None = None,
    batch_size: int = 3,
    page_size: str = "",
    tables: Sequence[type[models.Model]] | None = None,
    ignoring: Sequence[str] = (),
    watching: Sequence[Any] = (),
    calls: Calls | None = None,
) -> int:
    """Run an action undisturbed, then once per boundary with a worker that dies there.

    Another worker, with an action object of its own, goes on where the ledger stands, in batches
    of another size. Batches also fail as a whole and are run in halves, and have a row that is
    bad. Raises AssertionError when the output, the `tables` (default: the models of the action's
    app), or the things in `watching` differ from the undisturbed run, or when the action does what
    no transaction undoes. `ignoring` names fields that may differ; `page_size` is the dotted path
    of a constant that says how long the pages are; `calls` stands in for the outside of an
    EXTERNAL action. Returns how many deaths it survived; everything is rolled back.
    """
    refuse_unseen(action, watching, calls)
    stage = Stage(
        action=action,
        rows=rows,
        context=make_context(account, auth_account, now),
        tables=models_of(action) if tables is None else tables,
        ignoring=ignoring,
        watched=Watched(watching),
        calls=calls,
        page_size=page_size,
    )
    try:
        return Ordeal(stage, batch_size).run()
    finally:
        stage.watched.restore()


@dataclass
class Ordeal:
    """All the runs of one action."""

    stage: Stage
    batch_size: int

    def __post_init__(self) -> None:
        self.action, self.calls = self.stage.action, self.stage.calls

    def run(self) -> int:
        """Return how many deaths the action survived; raise AssertionError where it did not."""
        expected = self._undisturbed()
        size, deaths = self.batch_size, 0
        if self.action.effects is Effects.EXTERNAL and self.action.takes_input:
            deaths += self._die_everywhere(expected, self._nothing, "", 1, 1)
            self._answer_badly(expected)
            return deaths
        if not self.action.takes_input and not self.stage.page_size:
            return self._die_everywhere(expected, self._nothing, "", size, size)
        self._resize(expected)
        deaths += self._die_everywhere(expected, self._nothing, "", size, 1)
        deaths += self._die_everywhere(expected, self._nothing, "", 1, size)
        if self.action.takes_input:
            fault = "each batch failing when it is run for the first time"
            deaths += self._die_everywhere(expected, self._failing, fault, size, 1)
            deaths += self._spoil_rows(expected)
        return deaths

    def _undisturbed(self) -> Left:
        """Return what a run leaves that nothing befalls; it has to show something."""
        hazard = self._nothing()
        name = self.action.__name__
        try:
            expected = self.stage.leave(self.batch_size, hazard)
        finally:
            if hazard.leaks:  # it may be the cause of an exception, too
                raise AssertionError(f"{name}: {hazard.leaks[0]}")
        if expected.ran.refused:
            raise AssertionError(f"{name} was refused ({expected.ran.refused}): nothing to crash.")
        if self.action.takes_input and len(expected.ran.failures) == len(expected.ran.outcomes):
            raise AssertionError(
                f"{name}: every row failed ({expected.ran.failures[:1]}), so that a crash could"
                " not do any harm. Give it rows that succeed, too."
            )
        if self.calls is not None:
            expected.check_calls(self.action, has_world=bool(self.stage.watched.things))
        again = self.stage.leave(self.batch_size, self._nothing())
        compare(
            expected,
            again,
            f"{name}, run a second time, without any crash, leaves something else: it depends on"
            " the clock (use context.now), on chance, or on what outlives a run (a global, a"
            " file, another connection)",
        )
        return expected

    def _resize(self, expected: Left) -> None:
        """Compare with batches, or pages, of other sizes."""
        for size in (1, 2, self.batch_size + 1, 1_000):
            if size != self.batch_size:
                self._check(expected, self._nothing(), "nobody dying", size)

    def _spoil_rows(self, undisturbed: Left) -> int:
        """Let each row in turn be bad; the worker dies everywhere around the one in the middle."""
        deaths = 0
        outcomes = undisturbed.ran.outcomes
        for number in range(1, len(outcomes) + 1):
            if isinstance(outcomes[number - 1], Stopping):
                break  # it is bad already

            def make_fault(number: int = number) -> Hazard:
                return HasBadRow(self.action.effects, number)

            fault = f"row {number} being bad"
            left = self.stage.leave(self.batch_size, make_fault())
            where = f"{self._in(self.batch_size)}, {fault}, compared with a run without that row"
            without = self.stage.leave(self.batch_size, self._nothing(), without=number)
            compare(without, left.without_row(number), where)
            if number == (len(outcomes) + 1) // 2:
                deaths += self._die_everywhere(left, make_fault, fault, self.batch_size, 1)
        return deaths

    def _check(self, expected: Left, hazard: Hazard, fault: str, size: int) -> None:
        left = self.stage.leave(size, hazard)
        compare(expected, left, f"{self._in(size)}, {fault}")

    def _die_everywhere(
        self, expected: Left, make_fault: MakeFault, fault: str, size: int, resume_size: int
    ) -> int:
        """Return at how many boundaries a worker died."""
        for at in count(1):
            death = DiesOnce(at, make_fault())
            left = self.stage.leave(size, death, resume_size=resume_size)
            going_on = f" (the next one went on, {name_size(resume_size)})" if death.where else ""
            where = ", ".join(
                filter(None, (self._in(size), fault, f"the worker dying {death.where}{going_on}"))
            )
            if death.leaks:
                raise AssertionError(f"{where}: {death.leaks[0]}")
            if self.calls is None or not self.action.takes_input:
                compare(expected, left, where)
            else:
                compare_calls(self.action, expected, left, where)
            if not death.where:  # it came past the last one
                return at - 1
        raise AssertionError("unreachable")

    def _answer_badly(self, expected: Left) -> None:
        """Let each call in turn be made, and its answer be lost or say nothing; the worker lives.

        Once, and for good: what an action says at last shows only when no answer ever comes.
        """
        for place, call in enumerate(expected.calls):
            for bad in self.calls.bad_answers(call) if self.calls else ():
                for stays in (False, True):
                    mishap = Mishap(place, call.row_number, bad, stays=stays)
                    left = self.stage.leave(1, self._nothing(), mishap=mishap)
                    compare_bad_answer(self.action, expected, left, call, mishap)

    def _nothing(self) -> Hazard:
        return Hazard(self.action.effects, self.calls)

    def _failing(self) -> Hazard:
        return FailsAtFirst(self.action.effects, self.calls)

    def _in(self, size: int) -> str:
        return f"{self.action.__name__}, {name_size(size)}"


def name_size(size: int) -> str:
    """Return how runs in batches or pages of a size are called in messages."""
    return "one row at a time" if size == 1 else f"{size} rows at a time"
