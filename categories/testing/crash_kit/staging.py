"""How does every run begin from the same state? And all of it is rolled back when it was read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from django.db import models, transaction

from categories.contract import Action, Context, Effects
from categories.testing.crash_kit.calls import Calls, Mishap
from categories.testing.crash_kit.hazards import Hazard
from categories.testing.crash_kit.remains import Held, Left
from categories.testing.crash_kit.trials import Rows, Trial
from categories.testing.crash_kit.watching import Watched, read_tables


@dataclass
class Stage:
    """What all runs of one action begin from, and what of them is compared."""

    action: type[Action]
    rows: Rows
    context: Context
    tables: Sequence[type[models.Model]]
    ignoring: Sequence[str]  # fields of the tables
    watched: Watched
    calls: Calls | None
    page_size: str  # dotted path of a constant; "" when pages have one size only

    def leave(
        self,
        size: int,
        hazard: Hazard,
        *,
        resume_size: int | None = None,
        mishap: Mishap | None = None,
        without: int | None = None,
    ) -> Left:
        """Run the action, and return what it left behind.

        After a death it goes on in batches of `resume_size`. `mishap` befalls the answers to
        calls, `without` is the row, from 1, that the input lacks.
        """
        self.watched.restore()
        if self.calls is not None:
            self.calls.forget(mishap=mishap)
        using = self.context.database
        with transaction.atomic(using=using), page_sizes(self.page_size) as set_page_size:
            trial = Trial(
                self.action,
                self.rows,
                self.context,
                size,
                hazard=hazard,
                resume_size=resume_size,
                set_page_size=set_page_size,
            )
            if without is not None:
                del trial.cells[without - 1]
            trial.run()
            held = self._read()
            transaction.set_rollback(True, using=using)
        made = list(self.calls.made) if self.calls is not None else []
        return Left(trial.ran, held, made, trial.was_sent_at_death)

    def _read(self) -> Held:
        return read_tables(self.tables, self.ignoring, self.context) | self.watched.contents()


def refuse_unseen(action: type[Action], watching: Sequence[Any], calls: Calls | None) -> None:
    """Raise ValueError when nothing would show what an EXTERNAL action does outside."""
    if action.effects is Effects.EXTERNAL and calls is None and not watching:
        raise ValueError(
            f"Nobody sees what {action.__name__} does outside: let Calls() from categories.testing"
            " stand in for what it calls, and pass it as calls=."
        )


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
