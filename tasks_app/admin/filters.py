"""Filters for long lists, which never read the whole table to find their choices."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from categories import registry
from piston.accounts.models import Account
from tasks_app.states import TaskStatus

MAX_ACCOUNTS = 1_000  # with the same name, or found by a part of it


class StatusFilter(admin.SimpleListFilter):
    """Tasks in one status."""

    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return every visible status."""
        visible = (status for status in TaskStatus if status is not TaskStatus.REMOVED)
        return [(status.value, status.value) for status in visible]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep what was chosen."""
        return queryset.filter(status=self.value()) if self.value() else queryset


class CategoryFilter(admin.SimpleListFilter):
    """Tasks of one category; the choices are the installed categories."""

    title = "category"
    parameter_name = "category"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return every category, including disabled and broken ones."""
        return [(name, name) for name in sorted({entry.name for entry in registry.all_entries()})]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep what was chosen."""
        return queryset.filter(category=self.value()) if self.value() else queryset

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """Yield the links; choosing a category resets the filter by action."""
        for value, display in [(None, "All"), *self.lookup_choices]:
            changes = {self.parameter_name: value, ActionFilter.parameter_name: None}
            yield {
                "selected": self.value() == value,
                "query_string": changelist.get_query_string(changes),
                "display": display,
            }


class ActionFilter(admin.SimpleListFilter):
    """Tasks of one action; the choices are the actions of the chosen category, or of all."""

    title = "action"
    parameter_name = "action"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the actions."""
        chosen = request.GET.get(CategoryFilter.parameter_name)
        names = {
            action.name
            for entry in registry.all_entries()
            if entry.category is not None and chosen in {None, entry.name}
            for action in entry.category.actions
        }
        return [(name, name) for name in sorted(names)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep what was chosen."""
        return queryset.filter(action=self.value()) if self.value() else queryset


class TypedFilter(admin.ListFilter):
    """A filter with text inputs, because there are too many values to choose from."""

    template = "admin/tasks_app/typed_filter.html"
    inputs: ClassVar[dict[str, dict[str, str]]]  # parameter -> label, type

    def __init__(
        self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any
    ) -> None:
        super().__init__(request, params, model, model_admin)
        for name in self.inputs:
            if values := params.pop(name, None):
                self.used_parameters[name] = values[-1].strip()

    def expected_parameters(self) -> list[str | None]:
        """Return the names of the inputs."""
        return list(self.inputs)

    def has_output(self) -> bool:
        """Return True: show the filter even without a value."""
        return True

    def value(self, name: str) -> str:
        """Return the typed text, or ""."""
        return str(self.used_parameters.get(name, ""))

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """Yield the template's context: the inputs, and the parameters of all other filters."""
        kept = {**changelist.params, **changelist.filter_params}
        others = [
            (name, value)
            for name, values in kept.items()
            if name not in {*self.inputs, PAGE_VAR}
            for value in (values if isinstance(values, list) else [values])
        ]
        yield {
            "inputs": [
                {"name": name, "value": self.value(name), **drawn}
                for name, drawn in self.inputs.items()
            ],
            "others": others,
            "is_used": any(self.used_parameters.values()),
            "without": changelist.get_query_string(remove=list(self.inputs)),
        }


class AccountFilter(TypedFilter):
    """Tasks of an account, found by its id or name; optionally with all accounts below it."""

    title = "account"
    inputs: ClassVar = {
        "account": {"label": "Id or name", "type": "text"},
        "below": {"label": "with those below", "type": "checkbox"},
    }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the tasks of the account; show a warning if there is no such account."""
        typed = self.value("account")
        if not typed:
            return queryset
        accounts = Account.objects.filter(Q(pk=typed) | Q(name=typed))[:MAX_ACCOUNTS]
        account_ids = list(accounts.values_list("pk", flat=True))
        if not account_ids:
            messages.warning(request, f"No account has the id or the name {typed}.")
            return queryset.none()
        if self.value("below"):
            within = Account.objects.filter(links_up__ancestor__in=account_ids)
            return queryset.filter(account__in=within.values("pk"))
        return queryset.filter(account__in=account_ids)


class PeriodFilter(TypedFilter):
    """Rows from one day to another, both included, in UTC."""

    field: ClassVar[str]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the rows of the period; show an error if a day cannot be parsed."""
        first_name, last_name = self.inputs
        try:
            first = self.read_day(first_name)
            end = self.read_day(last_name, days_later=1)
        except (ValueError, OverflowError) as error:
            messages.error(request, f"A day is written YYYY-MM-DD: {error}.")
            return queryset.none()
        if first:
            queryset = queryset.filter(**{f"{self.field}__gte": first})
        if end:
            queryset = queryset.filter(**{f"{self.field}__lt": end})
        return queryset

    def read_day(self, name: str, days_later: int = 0) -> datetime | None:
        """Return the beginning of a typed day, or of one `days_later`; None if none was typed.

        Raises ValueError or OverflowError if the text is no day.
        """
        typed = self.value(name)
        if not typed:
            return None
        day = date.fromisoformat(typed) + timedelta(days=days_later)
        return datetime(day.year, day.month, day.day, tzinfo=UTC)


class CreatedFilter(PeriodFilter):
    """Tasks created in a period."""

    title = "created"
    field = "created_at"
    inputs: ClassVar = {
        "created_from": {"label": "From", "type": "date"},
        "created_to": {"label": "To", "type": "date"},
    }


class HappenedFilter(PeriodFilter):
    """Events of a period."""

    title = "time"
    field = "at"
    inputs: ClassVar = {
        "from": {"label": "From", "type": "date"},
        "to": {"label": "To", "type": "date"},
    }
