"""The list of all events: who did what to which task. Events outlive their tasks."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from tasks_app.admin import searching
from tasks_app.admin.details import describe_change, describe_detail
from tasks_app.admin.filters import HappenedFilter
from tasks_app.admin.formatting import show_text, show_time
from tasks_app.admin.wide_list import WideAdmin
from tasks_app.models import TaskEvent


@admin.register(TaskEvent)
class TaskEventAdmin(WideAdmin):
    """The events of all tasks, newest first."""

    list_title = "Events"
    list_display = ("time", "kind", "task", "works_for", "who", "change", "more", "request_id")
    list_filter = ("kind", HappenedFilter)
    search_fields = ("=task_id", "=account_id", "=actor", "=request_id")  # see get_search_results
    search_help_text = "The whole id of a task, an account or a request, or a user's name."
    ordering = ("-id",)
    fields = list_display
    readonly_fields = fields

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find events."""
        return searching.find_events(queryset, search_term.strip()), False

    @admin.display(description="time (UTC)")
    def time(self, event: TaskEvent) -> str:
        """Show when it happened."""
        return show_time(event.at)

    @admin.display(description="task")
    def task(self, event: TaskEvent) -> SafeString:
        """Link to the task, which may be deleted."""
        url = reverse("admin:tasks_app_task_change", args=[event.task_id])
        return format_html('<a href="{}">{}</a>', url, event.task_id)

    @admin.display(description="account")
    def works_for(self, event: TaskEvent) -> SafeString:
        """Link to the account that owned the task."""
        url = reverse("admin:accounts_account_change", args=[event.account_id])
        return format_html('<a href="{}">{}</a>', url, event.account_id)

    @admin.display(description="who")
    def who(self, event: TaskEvent) -> str:
        """Show who did it."""
        return show_text(event.actor)

    @admin.display(description="status")
    def change(self, event: TaskEvent) -> str:
        """Show the change of status."""
        return describe_change(event)

    @admin.display(description="detail")
    def more(self, event: TaskEvent) -> str:
        """Show the event's details."""
        return describe_detail(event)
