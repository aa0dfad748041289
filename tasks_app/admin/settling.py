"""Lets staff decide the outcome of indeterminate rows: choose, confirm, record."""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.db import DatabaseError
from django.http import HttpRequest

from tasks_app.admin import operations
from tasks_app.errors import PistonError
from tasks_app.indeterminate.decisions import MAX_NOTE_LENGTH, decide
from tasks_app.models import Decision, Effect, Task

MAX_AT_ONCE = operations.MAX_AT_ONCE  # rows in one request

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Choice:
    """One decision that staff can make about a row."""

    decision: Decision
    label: str  # on the button
    consequence: str  # on the page that asks to confirm


CHOICES = {
    choice.decision.value: choice
    for choice in (
        Choice(
            Decision.DONE,
            "It was done",
            "It happened on the other side. The row counts as succeeded; its output columns stay "
            "empty.",
        ),
        Choice(
            Decision.NOT_DONE,
            "It was not done",
            "It did not happen. The row counts as failed and goes to failed.csv, ready to be sent "
            "again by its owner.",
        ),
        Choice(
            Decision.SEND_AGAIN,
            "Send it again",
            "The system sends the row once more, with the same effect key. If the other side does "
            "not recognise the key and it had happened, it happens twice.",
        ),
    )
}


@dataclass(frozen=True)
class Offer:
    """The choices that a task's page offers for indeterminate rows, or why it offers none."""

    choices: list[Choice]
    why_not: str


def offer(task: Task, *, allowed: bool) -> Offer:
    """Return the choices, or why there are none."""
    if not allowed:
        return Offer([], "")
    if not (task.is_final and task.is_assembled):
        return Offer([], "They can be settled once the task has ended.")
    return Offer(list(CHOICES.values()), "")


def chosen_effects(effect_ids: list[str]) -> list[Effect]:
    """Return the ticked rows, sorted by task and row; ignore ids that are no numbers."""
    keys = [int(effect_id) for effect_id in effect_ids if is_key(effect_id)]
    chosen = Effect.objects.filter(pk__in=keys).defer("output", "failed")
    return list(chosen.select_related("task").order_by("task_id", "row_number"))


def is_key(text: str) -> bool:
    """Tell whether a text may be a primary key."""
    return text.isascii() and text.isdecimal() and len(text) <= 18


def settle(request: HttpRequest, effects: list[Effect], choice: Choice, note: str) -> None:
    """Record the decision for the rows, task by task, and report the result of each."""
    rows: dict[Task, list[int]] = defaultdict(list)
    for effect in effects:
        rows[effect.task].append(effect.row_number)
    for task, numbers in rows.items():
        try:
            verdict = decide(task, numbers, choice.decision, operations.actor_of(request), note)
        except PistonError as error:
            tell_refused(request, task, numbers, str(error))
        except DatabaseError:
            logger.exception("Deciding about rows of %s failed", task.pk)
            tell_refused(request, task, numbers, "the database refused; the log says why")
        else:
            if verdict.decided:
                messages.success(
                    request,
                    f"{choice.label}: {name_rows(verdict.decided)} of {task.pk}. "
                    "A worker brings it into the files and counts in a moment.",
                )
            for number, why in verdict.refused.items():
                tell_refused(request, task, [number], why)


def tell_refused(request: HttpRequest, task: Task, numbers: list[int], why: str) -> None:
    """Report that no decision was recorded for some rows, and why."""
    reason = why.removesuffix(".")
    messages.error(request, f"Not decided ({reason}): {name_rows(numbers)} of {task.pk}.")


def name_rows(numbers: list[int]) -> str:
    """Return "row 7", or "rows 7, 9"."""
    shown = ", ".join(f"{number:,}" for number in numbers)
    return f"row{'s' if len(numbers) > 1 else ''} {shown}"


def confirmation(effects: list[Effect], choice: Choice, note: str) -> dict[str, Any]:
    """Return the context for the page that asks to confirm."""
    return {
        "title": f"{choice.label}?",
        "choice": choice,
        "effects": effects,
        "note": note,
        "longest_note": MAX_NOTE_LENGTH,
    }
