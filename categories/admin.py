"""The admin pages of categories, where staff can enable and disable them."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.html import format_html, format_html_join

from categories import registry
from categories.contract import Category, settings
from categories.contract.help_and_template import describe_action
from categories.errors import UnknownCategory
from categories.models import PeriodicRun, RegisteredCategory, RunningProcess
from categories.periodic import OWNER
from categories.registry import registering
from piston.admin.read_only import ReadOnlyAdmin


@admin.register(RegisteredCategory)
class RegisteredCategoryAdmin(ReadOnlyAdmin):
    """The registered categories, with the problems that this process finds in them."""

    list_display = ("name", "version", "is_enabled", "source", "state", "registered_at")
    list_filter = ("is_enabled", "source")
    readonly_fields = ("state", "offers", "settings")
    actions = ("enable", "disable")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let those who may change categories enable and disable them."""
        return admin.ModelAdmin.has_change_permission(self, request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Return every field of the model: staff cannot edit any."""
        return [field.name for field in self.opts.fields] + list(self.readonly_fields)

    @admin.display(description="state in this process")
    def state(self, record: RegisteredCategory) -> str:
        """Show whether this process can use it, or why not."""
        if record.unregistered_at:
            return "unregistered"
        for entry in registry.all_entries():
            if entry.name == record.name:
                return entry.problem or "usable"
        return "not loaded"

    @admin.display(description="actions")
    def offers(self, record: RegisteredCategory) -> str:
        """Show the category's actions, with what each takes."""
        category = find_category(record)
        actions = category.actions if category else ()
        helps = {action.name: describe_action(action) for action in actions}
        return render_to_string("admin/categories/actions.html", {"helps": helps})

    @admin.display(description="settings of this process")
    def settings(self, record: RegisteredCategory) -> str:
        """Show the variables of the category, with value and source; no secret is shown."""
        category = find_category(record)
        if category is None:
            return ""
        shown = format_html_join(
            "",
            "<tr><th>{}</th><td>{}</td><td>{}</td><td>{}</td></tr>",
            settings.describe_settings(category),
        )
        unknown = format_html_join(
            "", "<p>{}</p>", ([it] for it in settings.find_unknown(category))
        )
        return format_html("<table>{}</table>{}", shown, unknown)

    @admin.action(description="Enable: take new tasks", permissions=["change"])
    def enable(self, request: HttpRequest, records: QuerySet[RegisteredCategory]) -> None:
        """Let the categories take new tasks."""
        self._set_enabled(request, records, is_enabled=True)

    @admin.action(description="Disable: no new tasks, running ones go on", permissions=["change"])
    def disable(self, request: HttpRequest, records: QuerySet[RegisteredCategory]) -> None:
        """Let the categories take no new tasks."""
        self._set_enabled(request, records, is_enabled=False)

    def _set_enabled(
        self, request: HttpRequest, records: QuerySet[RegisteredCategory], *, is_enabled: bool
    ) -> None:
        changing = records.exclude(is_enabled=is_enabled)
        word = "Enabled" if is_enabled else "Disabled"
        LogEntry.objects.log_actions(cast("int", request.user.pk), changing, CHANGE, f"{word}.")
        count = registering.set_enabled([record.name for record in records], is_enabled=is_enabled)
        self.message_user(request, f"{word} {count}.", messages.SUCCESS)


def find_category(record: RegisteredCategory) -> type[Category] | None:
    """Return the category as this process has it; None if it cannot be used here."""
    try:
        return registry.get_category(record.name)
    except UnknownCategory:
        return None


@admin.register(RunningProcess)
class RunningProcessAdmin(ReadOnlyAdmin):
    """The processes of web and workers, and what each says of the plugins."""

    list_display = ("role", "node", "process_id", "seen_at", "plugins")
    list_filter = ("role",)

    @admin.display
    def plugins(self, process: RunningProcess) -> str:
        """Show the version or the problem of each plugin."""
        return "; ".join(
            f"{name}: {said['problem'] or 'version ' + said['version']}"
            for name, said in sorted(process.loaded.items())
        )


@admin.register(PeriodicRun)
class PeriodicRunAdmin(ReadOnlyAdmin):
    """The last run of each periodic job, and its result."""

    list_display = (
        "category", "job", "every", "last_due_at", "last_run_at", "last_run_seconds", "is_good",
    )  # fmt: skip
    list_filter = ("category",)
    readonly_fields = ("every", "description")

    @admin.display(boolean=True, description="good")
    def is_good(self, run: PeriodicRun) -> bool:
        """Show whether the last run succeeded."""
        return not run.last_error

    @admin.display
    def every(self, run: PeriodicRun) -> str:
        """Show how often the job runs."""
        if run.category == OWNER:
            return "hour or day"
        return next((job.every for job in jobs_of(run)), "no longer")

    @admin.display
    def description(self, run: PeriodicRun) -> str:
        """Show what the job does."""
        if run.category == OWNER:
            return "Upkeep of the platform itself."
        return next((job.description for job in jobs_of(run)), "")


def jobs_of(run: PeriodicRun) -> list[Any]:
    """Return the declared job of a run, if it is still declared."""
    return [
        job
        for category in registry.all_categories()
        if category.name == run.category
        for job in category.periodic
        if job.name == run.job
    ]
