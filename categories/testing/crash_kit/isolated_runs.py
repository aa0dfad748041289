"""Runs an action from the same initial state each time; reads its effects and rolls them back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from django.db import models, transaction

from categories.contract import Action, Context, Effects
from categories.testing.crash_kit.calls import AnswerFault, Calls
from categories.testing.crash_kit.differences import RunResult, State
from categories.testing.crash_kit.fault_injection import FaultInjector
from categories.testing.crash_kit.input_rows import Rows, read_rows
from categories.testing.crash_kit.trials import Trial
from categories.testing.crash_kit.watching import Watched, read_tables


@dataclass
class IsolatedRuns:
    """The runs of one action: what they begin from, and which effects are compared."""

    action: type[Action]
    rows: Rows
    context: Context
    tables: Sequence[type[models.Model]]
    ignoring: Sequence[str]  # fields of the tables
    watched: Watched
    calls: Calls | None
    page_size: str  # dotted path of a constant; "" if pages have only one size

    def count_rows(self) -> int:
        """Return how many rows the action gets."""
        return len(read_rows(self.action, self.rows)[1])

    def run(
        self,
        size: int,
        injector: FaultInjector,
        *,
        resume_size: int | None = None,
        answer_fault: AnswerFault | None = None,
        without: int | None = None,
    ) -> RunResult:
        """Run the action and return its result and effects.

        After a death, the next worker continues in batches of `resume_size`. `answer_fault`
        replaces answers to calls. `without` is the number of a row that the action does not get.
        """
        self.watched.restore()
        if self.calls is not None:
            self.calls.forget(answer_fault=answer_fault)
        using = self.context.database
        with transaction.atomic(using=using), page_sizes(self.page_size) as set_page_size:
            trial = Trial(
                self.action,
                self.rows,
                self.context,
                size,
                injector=injector,
                resume_size=resume_size,
                set_page_size=set_page_size,
                without=without,
            )
            trial.run()
            state = self._read()
            transaction.set_rollback(True, using=using)
        made = list(self.calls.made) if self.calls is not None else []
        return RunResult(trial.ran, state, made, trial.were_sent_at_death)

    def _read(self) -> State:
        return read_tables(self.tables, self.ignoring, self.context) | self.watched.contents()


def refuse_unobserved(action: type[Action], watching: Sequence[Any], calls: Calls | None) -> None:
    """Raise ValueError if neither `calls` nor `watching` would show the external effects."""
    if action.effects is Effects.EXTERNAL and calls is None and not watching:
        raise ValueError(
            f"Nobody sees what {action.__name__} does outside: let Calls() from categories.testing"
            " stand in for what it calls, and pass it as calls=."
        )


@contextmanager
def page_sizes(path: str) -> Iterator[Callable[[int], None]]:
    """Yield a function that sets the constant at a dotted path; restore the constant afterwards."""
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
