"""The list of Celery messages that failed in the last days, with their tasks."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from celery import states
from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django_celery_results import admin as celery_admin  # noqa: F401 - before it is replaced
from django_celery_results.models import GroupResult, TaskResult

from tasks_app.admin.formatting import NOTHING, show_text, show_time
from tasks_app.admin.wide_list import WideAdmin
from tasks_app.models import Task
from tasks_app.queue.dispatch import OF_TASKS

MAX_FAILURES = 5  # on a task's page; its list has all
TASK_ID = re.compile(r"\b[0-9a-f]{30}\b")  # the first argument of every message for a task


@dataclass(frozen=True)
class Failure:
    """A message that ended with an error."""

    key: int
    at: str
    name: str
    error: str
    worker: str


def find_failures(task: Task) -> list[Failure]:
    """Return the latest failures of a task's messages, newest first."""
    failed = TaskResult.objects.filter(
        status=states.FAILURE,
        task_name__in=OF_TASKS,
        task_args__contains=task.pk,
    ).order_by("-date_done")[:MAX_FAILURES]
    return [
        Failure(
            key=each.pk,
            at=show_time(each.date_done),
            name=each.task_name,
            error=describe_error(each),
            worker=each.worker or NOTHING,
        )
        for each in failed
    ]


def describe_error(message: TaskResult) -> str:
    """Return the error's type and text from Celery's JSON."""
    try:
        error = json.loads(message.result or "null")
        words = " ".join(map(str, error["exc_message"]))
        return show_text(f"{error['exc_type']}: {words}")
    except (ValueError, TypeError, KeyError):
        return show_text(message.result)


def find_task_id(message: TaskResult) -> str | None:
    """Return the id of a message's task; None if it had none."""
    if message.task_name not in OF_TASKS:
        return None
    found = TASK_ID.search(message.task_args or "")
    return found.group() if found else None


for model in (TaskResult, GroupResult):  # this product makes no groups
    admin.site.unregister(model)


@admin.register(TaskResult)
class MessageAdmin(WideAdmin):
    """Messages that failed, with the task each was for."""

    list_title = "Messages that failed"
    list_display = ("message", "name", "task", "state", "error", "worker", "at")
    list_filter = ("status", "task_name")
    search_fields = ("=task_id", "task_args", "worker")
    search_help_text = "The id of a task or of a message, or a part of the worker's name."
    ordering = ("-date_done", "-id")
    fieldsets = (
        (None, {"fields": list_display}),
        ("What Celery kept", {"fields": ("task_args", "task_kwargs", "result", "trace")}),
    )
    readonly_fields = (*list_display, "task_args", "task_kwargs", "result", "trace")

    @admin.display(description="message")
    def message(self, message: TaskResult) -> str:
        """Show Celery's id of the message."""
        return str(message.task_id)

    @admin.display(description="state")
    def state(self, message: TaskResult) -> str:
        """Show Celery's final state of the message."""
        return str(message.status)

    @admin.display(description="name")
    def name(self, message: TaskResult) -> str:
        """Show the name of the Celery task."""
        return message.task_name or NOTHING

    @admin.display(description="task")
    def task(self, message: TaskResult) -> str | SafeString:
        """Link to the message's task."""
        task_id = find_task_id(message)
        if task_id is None:
            return NOTHING
        url = reverse("admin:tasks_app_task_change", args=[task_id])
        return format_html('<a href="{}">{}</a>', url, task_id)

    @admin.display(description="error")
    def error(self, message: TaskResult) -> str:
        """Show the error."""
        return describe_error(message)

    @admin.display(description="traceback")
    def trace(self, message: TaskResult) -> SafeString:
        """Show the traceback."""
        return format_html("<pre>{}</pre>", message.traceback or NOTHING)

    @admin.display(description="time (UTC)")
    def at(self, message: TaskResult) -> str:
        """Show when the message ended."""
        return show_time(message.date_done)
