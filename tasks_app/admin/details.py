"""The tables on a task's page: files, segments, effects, events and messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import prefetch_related_objects
from django.utils import timezone

from categories.contract.help_and_template import describe_action
from piston.plurals import plural
from tasks_app.admin.formatting import NOTHING, show_bytes, show_count, show_text, show_time
from tasks_app.admin.messages import find_failures
from tasks_app.execution import lock_holders
from tasks_app.files import task_files
from tasks_app.models import Effect, EffectState, EventKind, Segment, Task, TaskEvent

MAX_LINES = 50  # in each table


@dataclass(frozen=True)
class FileLine:
    """One file that can be downloaded now."""

    name: str
    size: str
    rows: str
    sha256: str


@dataclass(frozen=True)
class SegmentLine:
    """One segment: its progress, and the worker that holds it."""

    index: int
    rows: str
    cursor: str
    claim: int
    holder: str
    batch_size: int
    trouble: str


@dataclass(frozen=True)
class EffectLine:
    """One external row without a known outcome."""

    pk: int
    row: str
    state: str
    decision: str
    sent_at: str
    claim: int
    key: str
    can_be_settled: bool


@dataclass(frozen=True)
class EventLine:
    """One event."""

    at: str
    kind: str
    actor: str
    request_id: str
    change: str
    detail: str


def read_details(task: Task) -> dict[str, Any]:
    """Return the context for the templates of a task's page."""
    prefetch_related_objects([task], "csvs")
    unknown = task.effects.exclude(state=EffectState.DONE).order_by("row_number")
    action = task_files.find_action(task)
    return {
        "files": describe_files(task),
        "segments": [describe_segment(task, each) for each in task.segments.order_by("index")],
        "effects": [describe_effect(each) for each in unknown[:MAX_LINES]],
        "events": [describe_event(each) for each in newest_events(task)],
        "failures": find_failures(task),
        "holder": lock_holders.find_holder(task.pk),
        "help": describe_action(action) if action else None,
        "most_lines": MAX_LINES,
    }


def describe_files(task: Task) -> list[FileLine]:
    """Return the files that can be downloaded now, stored or not yet assembled."""
    stored = {csv.name: csv for csv in task.csvs.all()}
    return [
        FileLine(name.value, show_bytes(csv.size_bytes), show_count(csv.row_count), csv.sha256)
        if (csv := stored.get(name))
        else FileLine(name.value, "not assembled: streamed from what is there", NOTHING, NOTHING)
        for name in task_files.csv_names(task)
    ]


def describe_segment(task: Task, segment: Segment) -> SegmentLine:
    """Return a segment in words."""
    return SegmentLine(
        index=segment.index,
        rows=describe_rows(segment),
        cursor=describe_cursor(segment),
        claim=segment.claim,
        holder=describe_holder(task, segment),
        batch_size=segment.batch_size,
        trouble=describe_trouble(segment),
    )


def describe_rows(segment: Segment) -> str:
    """Return the segment's range of rows."""
    if segment.end_row is None:
        return "pages, no input"
    return f"{segment.start_row + 1:,} to {segment.end_row:,}"


def describe_cursor(segment: Segment) -> str:
    """Return the segment's progress."""
    done = segment.cursor_row - segment.start_row
    if segment.is_done:
        return f"all {done:,} done"
    if segment.end_row is None:
        return f"{done:,} done, next page at {segment.page_cursor!r}"
    total = segment.end_row - segment.start_row
    return f"{done:,} of {total:,} done, next at byte {segment.cursor_offset:,}"


def describe_holder(task: Task, segment: Segment) -> str:
    """Return who holds the claim and until when, or why no worker may claim the segment yet."""
    if segment.claimed_until is None:
        if segment.retry_at is not None and segment.retry_at > timezone.now():
            return f"nobody: {describe_pause(task, segment)} after {show_time(segment.retry_at)}"
        if task.paused_until is not None and task.paused_until > timezone.now():
            return f"nobody: calls fail, one row is tried after {show_time(task.paused_until)}"
        return "nobody"
    is_held = segment.claimed_until >= timezone.now()
    verb = "until" if is_held else "expired at"
    return f"{segment.claimed_by} {verb} {show_time(segment.claimed_until)}"


def describe_pause(task: Task, segment: Segment) -> str:
    """Return why the segment's next row must wait, and what happens after the wait."""
    if task.waiting_since is not None:
        return "its action waits for what the database lacks, tried again"
    if segment.suspect_row is not None:
        return "workers that live may still say so, blamed"
    return "no answer from outside, sent again"


def describe_trouble(segment: Segment) -> str:
    """Return what keeps the segment from progressing, as far as the ledger knows."""
    found = []
    if segment.idle_claims > 1:
        found.append(f"{segment.idle_claims} claims without a commit")
    if segment.suspect_row is not None:
        is_held = segment.claimed_until is not None and segment.claimed_until >= timezone.now()
        deaths, row = segment.suspect_trials - is_held, f"row {segment.suspect_row:,}"
        if deaths > 0:
            found.append(f"{deaths} {plural('worker', deaths)} died on {row}")
        else:
            found.append(f"{row} is tried alone")
    return ", ".join(found) or NOTHING


def describe_effect(effect: Effect) -> EffectLine:
    """Return an external row in words."""
    return EffectLine(
        pk=effect.pk,
        row=f"{effect.row_number:,}",
        state=effect.state,
        decision=describe_decision(effect),
        sent_at=show_time(effect.sent_at),
        claim=effect.claim,
        key=effect.key,
        can_be_settled=effect.state == EffectState.INDETERMINATE,
    )


def describe_decision(effect: Effect) -> str:
    """Return the decision about a row, its author, and the author's note."""
    if not effect.decision:
        return NOTHING
    note = f" ({show_text(effect.note)})" if effect.note else ""
    return f"{effect.get_decision_display()} by {show_text(effect.decided_by)}{note}"


def newest_events(task: Task) -> list[TaskEvent]:
    """Return the latest events, newest first."""
    return list(TaskEvent.objects.filter(task_id=task.pk).order_by("-id")[:MAX_LINES])


def describe_event(event: TaskEvent) -> EventLine:
    """Return an event in words."""
    return EventLine(
        at=show_time(event.at),
        kind=event.kind,
        actor=show_text(event.actor),
        request_id=event.request_id,
        change=describe_change(event),
        detail=describe_detail(event),
    )


def describe_change(event: TaskEvent) -> str:
    """Return the old and the new status, or NOTHING if the event did not change the status."""
    if event.old_status:
        return f"{event.old_status} → {event.new_status}"
    return event.new_status if event.kind == EventKind.CREATED else NOTHING


def describe_detail(event: TaskEvent) -> str:
    """Return the event's details, such as "name: in.csv"."""
    known = (f"{name}: {value}" for name, value in event.detail.items() if value not in {None, ""})
    return show_text(", ".join(known))
