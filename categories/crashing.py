"""Does an action survive crashes? Killed at every boundary, it must leave what it always leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from itertools import count
from typing import Any

from django.db import models, transaction

from categories.attempts import Stopping
from categories.calls import Calls
from categories.contract import Action, Effects
from categories.hazards import DiesOnce, FailsAtFirst, HasBadRow, Hazard
from categories.remains import Left, compare, compare_calls, compare_lost_answer
from categories.trials import Rows, Trial, make_context
from categories.watching import Watched, models_of, read_tables
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
    if action.effects is Effects.EXTERNAL and calls is None and not watching:
        raise ValueError(
            f"Nobody sees what {action.__name__} does outside: let Calls() from categories.testing"
            " stand in for what it calls, and pass it as calls=."
        )
    context = make_context(account, auth_account, now)
    watched_tables = list(models_of(action) if tables is None else tables)
    watched = Watched(watching)

    def leave(
        size: int, hazard: Hazard, resume_size: int, loses: int | None, without: int | None = None
    ) -> Left:
        watched.restore()
        if calls is not None:
            calls.forget(loses=loses)
        with transaction.atomic(using=context.database), page_sizes(page_size) as set_page_size:
            trial = Trial(
                action,
                rows,
                context,
                size,
                hazard=hazard,
                resume_size=resume_size,
                set_page_size=set_page_size,
            )
            if without is not None:
                del trial.cells[without - 1]
            trial.run()
            held = read_tables(watched_tables, ignoring, context) | watched.contents()
            transaction.set_rollback(True, using=context.database)
        made = list(calls.made) if calls is not None else []
        return Left(trial.ran, held, made, trial.was_sent_at_death)

    ordeal = Ordeal(action, leave, calls, batch_size, can_resize=bool(page_size))
    try:
        return ordeal.run(has_world=bool(watching))
    finally:
        watched.restore()


@dataclass
class Ordeal:
    """All the runs of one action."""

    action: type[Action]
    leave: Callable[..., Left]
    calls: Calls | None
    batch_size: int
    can_resize: bool  # the pages

    def run(self, *, has_world: bool) -> int:
        """Return how many deaths the action survived; raise AssertionError where it did not."""
        expected = self._undisturbed(has_world=has_world)
        size, deaths = self.batch_size, 0
        if self.action.effects is Effects.EXTERNAL and self.action.takes_input:
            deaths += self._die_everywhere(expected, self._nothing, "", 1, 1)
            self._lose_answers(expected)
            return deaths
        if not self.action.takes_input and not self.can_resize:
            return self._die_everywhere(expected, self._nothing, "", size, size)
        self._resize(expected)
        deaths += self._die_everywhere(expected, self._nothing, "", size, 1)
        deaths += self._die_everywhere(expected, self._nothing, "", 1, size)
        if self.action.takes_input:
            fault = "each batch failing when it is run for the first time"
            deaths += self._die_everywhere(expected, self._failing, fault, size, 1)
            deaths += self._spoil_rows(expected)
        return deaths

    def _undisturbed(self, *, has_world: bool) -> Left:
        """Return what a run leaves that nothing befalls; it has to show something."""
        hazard = self._nothing()
        name = self.action.__name__
        try:
            expected = self.leave(self.batch_size, hazard, self.batch_size, None)
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
            expected.check_calls(self.action, has_world=has_world)
        again = self.leave(self.batch_size, self._nothing(), self.batch_size, None)
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
            left = self.leave(self.batch_size, make_fault(), self.batch_size, None)
            where = f"{self._in(self.batch_size)}, {fault}, compared with a run without that row"
            without = self.leave(self.batch_size, self._nothing(), self.batch_size, None, number)
            compare(without, left.without_row(number), where)
            if number == (len(outcomes) + 1) // 2:
                deaths += self._die_everywhere(left, make_fault, fault, self.batch_size, 1)
        return deaths

    def _check(self, expected: Left, hazard: Hazard, fault: str, size: int) -> None:
        left = self.leave(size, hazard, size, None)
        compare(expected, left, f"{self._in(size)}, {fault}")

    def _die_everywhere(
        self, expected: Left, make_fault: MakeFault, fault: str, size: int, resume_size: int
    ) -> int:
        """Return at how many boundaries a worker died."""
        for at in count(1):
            death = DiesOnce(at, make_fault())
            left = self.leave(size, death, resume_size, None)
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

    def _lose_answers(self, expected: Left) -> None:
        """Let each call in turn be made, and its answer be lost; the worker lives."""
        for place, call in enumerate(expected.calls):
            left = self.leave(1, self._nothing(), 1, place)
            compare_lost_answer(self.action, expected, left, call, place)

    def _nothing(self) -> Hazard:
        return Hazard(self.action.effects, self.calls)

    def _failing(self) -> Hazard:
        return FailsAtFirst(self.action.effects, self.calls)

    def _in(self, size: int) -> str:
        return f"{self.action.__name__}, {name_size(size)}"


def name_size(size: int) -> str:
    """Return how runs in batches or pages of a size are called in messages."""
    return "one row at a time" if size == 1 else f"{size} rows at a time"


@contextmanager
def page_sizes(path: str) -> Iterator[Callable[[int], None]]:
    """Yield what sets the constant at a dotted path; it has its own value again afterwards."""
    if not path:
        yield lambda _: None
        return
    module_path, _, name = path.rpartition(".")
    module = import_module(module_path)
    before = getattr(module, name)
    try:
        yield lambda size: setattr(module, name, size)
    finally:
        setattr(module, name, before)
