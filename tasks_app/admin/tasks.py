"""The admin pages of tasks, where staff view, start, stop, retry, delete and download them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import flatten_fieldsets
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, re_path, reverse

from tasks_app.admin import columns, downloads, operations, searching, settling
from tasks_app.admin.details import read_details
from tasks_app.admin.filters import (
    AccountFilter,
    ActionFilter,
    CategoryFilter,
    CreatedFilter,
    StatusFilter,
)
from tasks_app.admin.operations import OPERATIONS, REMOVE, RETRY, START, STOP, Operation
from tasks_app.admin.wide_list import WideAdmin
from tasks_app.errors import CSVNotFound, StorageUnavailable, StoredFileMissing
from tasks_app.models import Task
from tasks_app.states import TaskStatus

LIST = "admin:tasks_app_task_changelist"
PAGE = "admin:tasks_app_task_change"


@admin.register(Task)
class TaskAdmin(WideAdmin):
    """All tasks, newest first."""

    list_title = "Tasks"
    change_form_template = "admin/tasks_app/task/change_form.html"
    list_display = (
        columns.name, columns.account, columns.action, columns.status, columns.progress,
        columns.success, columns.failure, columns.created, columns.started, columns.ended,
        columns.duration, columns.rows_per_second,
    )  # fmt: skip
    list_filter = (StatusFilter, CategoryFilter, ActionFilter, AccountFilter, CreatedFilter)
    list_max_show_all = operations.MAX_AT_ONCE
    search_fields = ("id", "file_name", "account__name", "account__id")  # see get_search_results
    search_help_text = "An id or its beginning, or a part of the file's or the account's name."
    ordering = ("-created_at", "-id")
    actions = ("start_tasks", "stop_tasks", "retry_tasks", "remove_tasks")
    fieldsets: ClassVar[Any] = (
        (
            None,
            {
                "fields": (
                    "id", columns.status, columns.reason, columns.action, columns.file_name,
                    columns.account, columns.auth_account,
                )
            },
        ),
        (
            "Progress",
            {
                "fields": (
                    columns.progress, columns.success, columns.failure, columns.left,
                    columns.duration, columns.rows_per_second,
                )
            },
        ),
        ("Times (UTC)", {"fields": (columns.created, columns.started, columns.ended)}),
        (
            "The engine's notes",
            {
                "classes": ("collapse",),
                "fields": (
                    "category_version", "unfit_since", "waiting_since", "waiting_for",
                    "failing_since", "paused_until",
                    "node", "ending", "is_permitted", "max_workers", "wake_number",
                    "dispatched_at", "served_at", "is_assembled", "assembly_claim",
                    "assembly_until", "revision",
                ),
            },
        ),
    )  # fmt: skip
    readonly_fields = flatten_fieldsets(fieldsets)

    # ---- Looking ---------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[Task]:
        """Return the tasks that were not removed, with their accounts."""
        tasks = Task.objects.visible().of_all_accounts()
        return tasks.select_related("account", "auth_account").order_by(*self.ordering)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find tasks."""
        return searching.find_tasks(queryset, search_term.strip()), False

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        """Add the tables below the fields, and the buttons that this user may press now."""
        task: Task = kwargs["obj"]
        context["details"] = read_details(task)
        context["settling"] = settling.offer(task, allowed=self.may(request, START))
        context["steps"] = [
            operation
            for operation in OPERATIONS.values()
            if self.may(request, operation) and operations.is_possible(operation, task)
        ]
        return super().render_change_form(request, context, *args, **kwargs)

    # ---- Doing -----------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        """Return the admin's URLs, and those for buttons and files."""
        own = [
            re_path(
                r"^(?P<task_id>[0-9a-f]{30})/step/(?P<step_name>[a-z]+)/$",
                self.admin_site.admin_view(self.answer_button),
                name="tasks_app_task_step",
            ),
            re_path(
                r"^(?P<task_id>[0-9a-f]{30})/files/(?P<name>[^/]+)$",
                self.admin_site.admin_view(self.send_file),
                name="tasks_app_task_file",
            ),
        ]
        return [*own, *super().get_urls()]

    def may(self, request: HttpRequest, operation: Operation) -> bool:
        """Tell whether this user may carry out the operation."""
        allowed = request.user.has_perm(f"tasks_app.{operation.permission}_task")
        return allowed and self.has_view_permission(request)

    def has_change_tasks_permission(self, request: HttpRequest) -> bool:
        """Tell whether the list offers to start, stop and retry tasks."""
        return self.may(request, START)

    def has_delete_tasks_permission(self, request: HttpRequest) -> bool:
        """Tell whether the list offers to delete."""
        return self.may(request, REMOVE)

    @admin.action(description="Start", permissions=["change_tasks"])
    def start_tasks(self, request: HttpRequest, _: QuerySet[Task]) -> HttpResponseBase | None:
        """Start the chosen tasks."""
        return self.apply_to_chosen(request, START)

    @admin.action(description="Stop", permissions=["change_tasks"])
    def stop_tasks(self, request: HttpRequest, _: QuerySet[Task]) -> HttpResponseBase | None:
        """Stop the chosen tasks."""
        return self.apply_to_chosen(request, STOP)

    @admin.action(description="Retry", permissions=["change_tasks"])
    def retry_tasks(self, request: HttpRequest, _: QuerySet[Task]) -> HttpResponseBase | None:
        """Resume the chosen tasks that ended `internal_error`."""
        return self.apply_to_chosen(request, RETRY)

    @admin.action(description="Delete", permissions=["delete_tasks"])
    def remove_tasks(self, request: HttpRequest, _: QuerySet[Task]) -> HttpResponseBase | None:
        """Delete the chosen tasks, after a confirmation."""
        return self.apply_to_chosen(request, REMOVE)

    def apply_to_chosen(
        self, request: HttpRequest, operation: Operation
    ) -> HttpResponseBase | None:
        """Carry out the operation on the ticked tasks, even if filters no longer match them."""
        task_ids = request.POST.getlist(ACTION_CHECKBOX_NAME)
        if request.POST.get("select_across") == "1" or len(task_ids) > operations.MAX_AT_ONCE:
            messages.error(request, f"At most {operations.MAX_AT_ONCE} tasks at a time.")
            return None
        return self.apply(request, operation, task_ids)

    def answer_button(self, request: HttpRequest, task_id: str, step_name: str) -> HttpResponseBase:
        """Answer a button on a task's page."""
        if step_name not in OPERATIONS:
            raise Http404
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        operation = OPERATIONS[step_name]
        if not self.may(request, operation):
            raise PermissionDenied
        answer = self.apply(request, operation, [task_id])
        is_there = Task.objects.visible().filter(pk=task_id).exists()
        return answer or (redirect(PAGE, task_id) if is_there else redirect(LIST))

    def apply(
        self, request: HttpRequest, operation: Operation, task_ids: Sequence[str]
    ) -> HttpResponseBase | None:
        """Carry out the operation on each task and report; ask for confirmation before deleting."""
        if operation is REMOVE and "confirmed" not in request.POST:
            return self.ask_for_confirmation(request, task_ids)
        report = operations.carry_out(operation, task_ids, operations.actor_of(request))
        operations.tell(request, operation, report)
        return None

    def ask_for_confirmation(
        self, request: HttpRequest, task_ids: Sequence[str]
    ) -> TemplateResponse:
        """Show which tasks are about to be deleted."""
        context = {
            **self.admin_site.each_context(request),
            "title": "Delete tasks?",
            "opts": self.opts,
            "tasks": self.get_queryset(request).filter(pk__in=task_ids).order_by(*self.ordering),
            "executing": TaskStatus.EXECUTING,
            "action_checkbox_name": ACTION_CHECKBOX_NAME,
            "back": request.get_full_path()
            if request.path == reverse(LIST)
            else reverse(PAGE, args=task_ids),
        }
        return TemplateResponse(request, "admin/tasks_app/task/confirm_removal.html", context)

    def send_file(self, request: HttpRequest, task_id: str, name: str) -> HttpResponseBase:
        """Answer with a file of a task."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method != "GET":
            return HttpResponseNotAllowed(["GET"])
        task = Task.objects.visible().filter(pk=task_id).first()
        if task is None:
            raise Http404
        try:
            return downloads.download(
                task,
                name,
                operations.actor_of(request),
                for_spreadsheet="spreadsheet" in request.GET,
            )
        except CSVNotFound as error:
            raise Http404(str(error)) from error
        except (StoredFileMissing, StorageUnavailable) as error:
            messages.error(request, f"The file {name} cannot be read now: {error}")
            return redirect(PAGE, task_id)
