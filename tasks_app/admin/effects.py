"""The list of external rows without a known outcome, where staff settle them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBadRequest, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from tasks_app.admin import settling
from tasks_app.admin.details import describe_decision
from tasks_app.admin.formatting import show_time
from tasks_app.admin.searching import TASK_ID
from tasks_app.admin.wide_list import WideAdmin
from tasks_app.indeterminate.decisions import MAX_NOTE_LENGTH
from tasks_app.models import Decision, Effect, EffectState
from tasks_app.models.effect import UNRECORDED
from tasks_app.states import TaskStatus

LIST = "admin:tasks_app_effect_changelist"
PAGE = "admin:tasks_app_task_change"
CHOSEN = "effect"  # name of the form's field, which may be repeated


class StateFilter(admin.SimpleListFilter):
    """Rows that wait for a person or for a worker."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the states of rows that are not settled."""
        others = {*UNRECORDED, EffectState.DONE}
        return [(state.value, state.value) for state in EffectState if state not in others]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the chosen state."""
        return queryset.filter(state=self.value()) if self.value() else queryset


@admin.register(Effect)
class EffectAdmin(WideAdmin):
    """The rows that are not settled, newest first."""

    list_title = "External rows to settle"
    list_display = ("row", "task_link", "action_name", "state", "decision", "sent", "key")
    list_filter = (StateFilter,)
    list_display_links = None
    list_max_show_all = settling.MAX_AT_ONCE
    search_fields = ("=task__id",)  # see get_search_results
    search_help_text = "The whole id of a task."
    ordering = ("-id",)
    actions = ("settle_as_done", "settle_as_not_done", "send_again")
    fields = list_display
    readonly_fields = fields

    # ---- Looking ---------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[Effect]:
        """Return the rows that are not settled, of tasks that were not removed."""
        effects = Effect.objects.unsettled().exclude(task__status=TaskStatus.REMOVED)
        return effects.select_related("task").defer("output", "failed").order_by(*self.ordering)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find the rows of a task."""
        term = search_term.strip()
        if not term:
            return queryset, False
        return queryset.filter(task=term) if TASK_ID.fullmatch(term) else queryset.none(), False

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Show the list to users who may see tasks."""
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether this user may see tasks, which include their rows."""
        permissions = ("tasks_app.view_task", "tasks_app.change_task")
        return any(request.user.has_perm(permission) for permission in permissions)

    def has_settle_permission(self, request: HttpRequest) -> bool:
        """Tell whether this user may settle rows."""
        return request.user.has_perm("tasks_app.change_task")

    @admin.display(description="row")
    def row(self, effect: Effect) -> str:
        """Show the number of the input row."""
        return f"{effect.row_number:,}"

    @admin.display(description="task")
    def task_link(self, effect: Effect) -> SafeString:
        """Link to the row's task."""
        return format_html(
            '<a href="{}">{}</a>', reverse(PAGE, args=[effect.task_id]), effect.task_id
        )

    @admin.display(description="category/action")
    def action_name(self, effect: Effect) -> SafeString:
        """Name the action."""
        return format_html("{}/<wbr>{}", effect.task.category, effect.task.action)

    @admin.display(description="decided")
    def decision(self, effect: Effect) -> str:
        """Show the decision about the row, and its author."""
        return describe_decision(effect)

    @admin.display(description="sent (UTC)")
    def sent(self, effect: Effect) -> str:
        """Show when the row was first sent, or sent again by a decision."""
        return show_time(effect.sent_at)

    # ---- Settling --------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        """Return the admin's URLs, and the one for the forms of rows."""
        own = path(
            "settle/", self.admin_site.admin_view(self.settle), name="tasks_app_effect_settle"
        )
        return [own, *super().get_urls()]

    @admin.action(description="It was done", permissions=["settle"])
    def settle_as_done(self, request: HttpRequest, _: QuerySet[Effect]) -> HttpResponseBase | None:
        """Ask to confirm that the chosen rows count as succeeded."""
        return self.ask_about_chosen(request, Decision.DONE)

    @admin.action(description="It was not done", permissions=["settle"])
    def settle_as_not_done(
        self, request: HttpRequest, _: QuerySet[Effect]
    ) -> HttpResponseBase | None:
        """Ask to confirm that the chosen rows count as failed."""
        return self.ask_about_chosen(request, Decision.NOT_DONE)

    @admin.action(description="Send it again", permissions=["settle"])
    def send_again(self, request: HttpRequest, _: QuerySet[Effect]) -> HttpResponseBase | None:
        """Ask to confirm that the chosen rows are sent once more."""
        return self.ask_about_chosen(request, Decision.SEND_AGAIN)

    def ask_about_chosen(self, request: HttpRequest, decision: Decision) -> HttpResponseBase | None:
        """Ask to confirm the decision for the rows ticked in the list."""
        effect_ids = request.POST.getlist(ACTION_CHECKBOX_NAME)
        if request.POST.get("select_across") == "1" or len(effect_ids) > settling.MAX_AT_ONCE:
            messages.error(request, f"At most {settling.MAX_AT_ONCE} rows at a time.")
            return None
        return self.ask(request, settling.chosen_effects(effect_ids), settling.CHOICES[decision])

    def settle(self, request: HttpRequest) -> HttpResponseBase:
        """Answer the buttons below rows: ask to confirm, then record the decision."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.has_settle_permission(request):
            raise PermissionDenied
        choice = settling.CHOICES.get(request.POST.get("decision", ""))
        effect_ids = request.POST.getlist(CHOSEN)
        if choice is None or len(effect_ids) > settling.MAX_AT_ONCE:
            return HttpResponseBadRequest(
                f"Choose what became of at most {settling.MAX_AT_ONCE} rows."
            )
        effects = settling.chosen_effects(effect_ids)
        note = request.POST.get("note", "").replace("\r\n", "\n").strip()
        if not effects:
            messages.error(request, "No row was chosen: tick those that you know of.")
        elif len(note) > MAX_NOTE_LENGTH or "\0" in note:
            messages.error(request, f"A note is text of at most {MAX_NOTE_LENGTH} characters.")
            return self.ask(request, effects, choice, note)
        elif "confirmed" not in request.POST:
            return self.ask(request, effects, choice, note)
        else:
            settling.settle(request, effects, choice, note)
        task_id = request.POST.get("task", "")
        return redirect(PAGE, task_id) if TASK_ID.fullmatch(task_id) else redirect(LIST)

    def ask(
        self,
        request: HttpRequest,
        effects: list[Effect],
        choice: settling.Choice,
        note: str = "",
    ) -> TemplateResponse:
        """Show the page that asks to confirm a decision."""
        task_id = request.POST.get("task", "")
        context = {
            **self.admin_site.each_context(request),
            **settling.confirmation(effects, choice, note),
            "opts": self.opts,
            "chosen": CHOSEN,
            "task_id": task_id if TASK_ID.fullmatch(task_id) else "",
        }
        return TemplateResponse(request, "admin/tasks_app/effect/confirm_settling.html", context)
