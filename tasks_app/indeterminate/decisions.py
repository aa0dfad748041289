"""Records what staff decide about indeterminate rows (ADR 13)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from tasks_app import events
from tasks_app.errors import TaskHasNotEnded, TaskNotFound
from tasks_app.events import Actor
from tasks_app.indeterminate import answers
from tasks_app.models import Decision, Effect, EffectState, EventKind, Task
from tasks_app.queue import dispatch

MAX_NOTE_LENGTH = 1_000  # characters


@dataclass
class Verdict:
    """The rows that were decided, and for each other row the reason why not."""

    decided: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)


def decide(
    task: Task, row_numbers: Iterable[int], decision: Decision, actor: Actor, note: str = ""
) -> Verdict:
    """Record a person's decision about rows, for workers to carry out.

    If several people decide about the same row, the first decision counts; the result tells the
    others. Raises TaskHasNotEnded, TaskNotFound, and CannotBeSentAgain.
    """
    if len(note) > MAX_NOTE_LENGTH:
        raise ValueError(f"A note has at most {MAX_NOTE_LENGTH} characters.")
    if decision == Decision.SEND_AGAIN:
        answers.require_same_action(task)
    verdict = Verdict()
    with transaction.atomic():
        lock_ended(task)
        for row_number in sorted(set(row_numbers)):
            if decide_row(task, row_number, decision, actor, note):
                verdict.decided.append(row_number)
            else:
                verdict.refused[row_number] = refusal(task, row_number)
        if verdict.decided:
            dispatch.request_settling(task.pk)
    return verdict


def lock_ended(task: Task) -> None:
    """Lock the ended task for this transaction; raises TaskHasNotEnded or TaskNotFound."""
    if Task.objects.assembled().filter(pk=task.pk).update(revision=F("revision")):
        return
    if not Task.objects.visible().filter(pk=task.pk).exists():
        raise TaskNotFound(task.pk)
    raise TaskHasNotEnded(task.pk)


def decide_row(task: Task, row_number: int, decision: Decision, actor: Actor, note: str) -> bool:
    """Decide about one row in one guarded UPDATE; False when it is not open for a decision."""
    open_rows = Effect.objects.with_line_position().filter(
        task=task,
        row_number=row_number,
        state=EffectState.INDETERMINATE,
        input_offset__isnull=False,
    )
    decided = open_rows.update(
        state=EffectState.DECIDED,
        decision=decision,
        decided_by=actor.name,
        decided_at=Now(),
        note=note,
        settled_as="",
    )
    if decided:
        events.record(
            task, EventKind.DECIDED, actor, row=row_number, decision=decision.value, note=note
        )
    return bool(decided)


def refusal(task: Task, row_number: int) -> str:
    """Return why a row is not open for a decision."""
    effect = task.effects.filter(row_number=row_number).first()
    if effect is None:
        return "it is not indeterminate"
    if effect.state == EffectState.SENT:
        return "it is in no file: an older version sent it, and then its input was lost"
    if effect.decision:
        return f"{effect.decided_by} decided already: {effect.get_decision_display()}"
    if effect.state == EffectState.DONE:
        return "its outcome is known"
    return "its place in the files is not known: it was recorded by an older version"
