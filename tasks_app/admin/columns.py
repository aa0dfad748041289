"""The facts about a task in the list's columns and the page's fields."""

from __future__ import annotations

from django.contrib import admin
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from piston.plurals import plural
from tasks_app.admin.formatting import NOTHING, show_count, show_seconds, show_text, show_time
from tasks_app.models import Task


@admin.display(description="id")
def name(task: Task) -> str | SafeString:
    """Show the id, and the client's name for the input."""
    if not task.file_name:
        return task.pk
    beginning = Truncator(show_text(task.file_name)).chars(40)
    return format_html('{}<br><small class="quiet">{}</small>', task.pk, beginning)


@admin.display(description="file name")
def file_name(task: Task) -> str:
    """Show the client's name for the input."""
    return show_text(task.file_name)


@admin.display(description="reason")
def reason(task: Task) -> str:
    """Show why the task ended as it did."""
    return show_text(task.reason)


@admin.display(description="account")
def account(task: Task) -> SafeString:
    """Link to the account that owns the task."""
    return link_account(task.account_id, task.account.name)


@admin.display(description="created by")
def auth_account(task: Task) -> SafeString:
    """Link to the account that created the task."""
    return link_account(task.auth_account_id, task.auth_account.name)


def link_account(account_id: str, text: str) -> SafeString:
    """Return a link to an account's page."""
    url = reverse("admin:accounts_account_change", args=[account_id])
    return format_html('<a href="{}">{}</a>', url, show_text(text))


@admin.display(description="category/action")
def action(task: Task) -> SafeString:
    """Name the action."""
    return format_html("{}/<wbr>{}", task.category, task.action)


@admin.display(description="status")
def status(task: Task) -> SafeString:
    """Show the status as a coloured word."""
    return format_html('<span class="status status-{}">{}</span>', task.status, task.status)


@admin.display(description="progress")
def progress(task: Task) -> str | SafeString:
    """Show how much is done, with a bar if the total is known."""
    done = done_count(task)
    total = task.expected_count if task.total_count is None else task.total_count
    if total is None:
        return f"{done:,} {plural('row', done)}" if task.has_started else NOTHING
    percent = min(100 * done // total, 100) if total else 100
    if not task.has_started:
        return f"0 / {total:,}"
    return format_html(
        '<progress value="{}" max="{}" aria-hidden="true"></progress><br>{} / {} ({}&nbsp;%)',
        done, max(total, 1), f"{done:,}", f"{total:,}", percent,
    )  # fmt: skip


@admin.display(description="success")
def success(task: Task) -> str:
    """Show how many rows succeeded."""
    return show_count(task.success_count if task.has_started else None)


@admin.display(description="failure")
def failure(task: Task) -> str:
    """Show how many rows failed."""
    return show_count(task.failure_count if task.has_started else None)


@admin.display(description="left")
def left(task: Task) -> str:
    """Show how many rows of the input have no outcome."""
    return show_count(None if task.total_count is None else task.left_count)


@admin.display(description="created")
def created(task: Task) -> str:
    """Show when the task was created."""
    return show_time(task.created_at)


@admin.display(description="started")
def started(task: Task) -> str:
    """Show when the task was started."""
    return show_time(task.started_at)


@admin.display(description="ended")
def ended(task: Task) -> str:
    """Show when the task ended."""
    return show_time(task.ended_at)


@admin.display(description="duration")
def duration(task: Task) -> str:
    """Show how long the task ran, or has been running."""
    return show_seconds(duration_seconds(task))


@admin.display(description="rows/s")
def rows_per_second(task: Task) -> str:
    """Show the average speed from the start to the end, or until now."""
    seconds = duration_seconds(task)
    if not seconds:
        return NOTHING
    rate = done_count(task) / seconds
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2f}"


def done_count(task: Task) -> int:
    """Return how many rows have an outcome."""
    return task.success_count + task.failure_count


def duration_seconds(task: Task) -> float | None:
    """Return how long the task ran, or has been running; None before its start."""
    if task.started_at is None:
        return None
    until = task.ended_at or timezone.now()  # this machine's clock may be behind the database's
    return max((until - task.started_at).total_seconds(), 0.0)
