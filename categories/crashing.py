"""Does an action survive crashes? Killed at every boundary, it must leave what it always leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any

from django.apps import apps
from django.db import models, transaction

from categories.contract import Action, Context, Effects
from categories.trials import Boundary, Died, Rows, Trial, make_context
from piston.accounts.models import Account


class DiesOnce:
    """Kills the worker at one boundary, the first time it comes there."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.seen = 0
        self.where = ""  # the boundary it died at; "" when the run has fewer

    def __call__(self, boundary: str) -> None:
        """Die, if this is the one."""
        self.seen += 1
        if self.seen == self.at:
            self.where = boundary
            raise Died


@dataclass(frozen=True)
class Left:
    """What a run leaves behind."""

    lines: list[list[str]]
    ending: str
    tables: dict[str, list[str]]


def assert_survives_crashes(
    action: type[Action],
    rows: Rows = (),
    *,
    account: Account | None = None,
    auth_account: Account | None = None,
    now: datetime | None = None,
    batch_size: int = 3,
    tables: Sequence[type[models.Model]] | None = None,
    ignoring: Sequence[str] = (),
) -> int:
    """Run an action undisturbed, then once per boundary with a worker that dies there.

    Boundaries are the beginning and the end of each batch, and each SQL statement in it; in
    batches of `batch_size` rows, and row by row. Raises AssertionError when the output or the
    `tables` (default: the models of the action's app) differ from the undisturbed run. `ignoring`
    names fields that may differ. Returns how many deaths it survived; everything is rolled back.
    """
    if action.effects is Effects.EXTERNAL and not action.idempotent:
        raise ValueError(
            f"A crash leaves rows of {action.__name__} indeterminate; none is repeated."
        )
    context = make_context(account, auth_account, now)
    watched = list(models_of(action) if tables is None else tables)

    def leave(size: int, boundary: Boundary) -> Left:
        with transaction.atomic(using=context.database):
            ran = Trial(action, rows, context, size, boundary).run()
            tables_left = read_tables(watched, ignoring, context)
            transaction.set_rollback(True, using=context.database)
        return Left(ran.lines, ran.refused or ran.stopped, tables_left)

    expected = leave(batch_size, lambda _: None)
    deaths = 0
    for size in dict.fromkeys((batch_size, 1)):
        for at in count(1):
            death = DiesOnce(at)
            left = leave(size, death)
            compare(expected, left, f"{size} rows at a time, dying {death.where or 'nowhere'}")
            if not death.where:  # it came past the last one
                break
            deaths += 1
    return deaths


def compare(expected: Left, found: Left, where: str) -> None:
    """Raise AssertionError, with the first difference, when two runs left different things."""
    if found == expected:
        return
    for name, rows in expected.tables.items():
        if found.tables[name] != rows:
            raise AssertionError(f"{where}: {name} has {found.tables[name]}, not {rows}")
    raise AssertionError(
        f"{where}: the output is {found.lines} {found.ending},"
        f" not {expected.lines} {expected.ending}"
    )


def models_of(action: type[Action]) -> list[type[models.Model]]:
    """Return the models of the Django app that the action belongs to; none outside of apps."""
    app = apps.get_containing_app_config(action.__module__)
    return list(app.get_models()) if app else []


def read_tables(
    tables: Sequence[type[models.Model]], ignoring: Sequence[str], context: Context
) -> dict[str, list[str]]:
    """Return the rows of tables in an order of their own, without the ids the database chose."""
    found: dict[str, list[str]] = {}
    for model in tables:
        names = [
            field.attname
            for field in model._meta.concrete_fields
            if not isinstance(field, models.AutoField) and field.name not in ignoring
        ]
        rows: Any = model._default_manager.using(context.database).values_list(*names)
        found[model.__name__] = sorted(map(repr, rows))
    return found
