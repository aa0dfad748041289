"""The admin pages of telephone numbers and their history, read-only: only tasks change them."""

from __future__ import annotations

import re
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from categories.number_management.describing import describe_number
from categories.number_management.models import NUMBER_LENGTH, NumberChange, PhoneNumber
from piston.admin.read_only import ReadOnlyAdmin

MAX_SHOWN_CHANGES = 50


class NumberSearch(ReadOnlyAdmin):
    """A read-only list that is searched by the beginning of a number."""

    search_fields = ("number",)
    search_help_text = "The beginning of a number, as +1415."

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Search a range of numbers, which uses the index under any collation of the database."""
        term = search_term.strip()
        if not term:
            return queryset, False
        digits = re.sub(r"[^0-9]", "", term)
        if not digits or len(digits) >= NUMBER_LENGTH:
            return queryset.none(), False
        first = f"+{digits}"
        return queryset.filter(
            number__gte=first, number__lte=first.ljust(NUMBER_LENGTH, "9")
        ), False


@admin.register(PhoneNumber)
class PhoneNumberAdmin(NumberSearch):
    """Numbers, with their description from the numbering plans and their history."""

    list_display = ("number", "state", "account", "country", "carrier_module", "modified_at")
    list_filter = ("state",)  # has an index; another filter would read millions of rows
    list_select_related = ("account",)
    search_help_text = "The beginning of a number, as +1415; or the id of an account."
    ordering = ("number",)
    readonly_fields = ("pretty", "country", "kind", "history")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Search by account as well."""
        if re.fullmatch(r"[0-9a-f]{32}", search_term.strip()):
            return queryset.filter(account_id=search_term.strip()), False
        return super().get_search_results(request, queryset, search_term)

    @admin.display
    def country(self, record: PhoneNumber) -> str:
        """Show the number's country."""
        return describe_number(record.number).country

    @admin.display(description="type")
    def kind(self, record: PhoneNumber) -> str:
        """Show the type of line."""
        return describe_number(record.number).kind

    @admin.display(description="as people write it")
    def pretty(self, record: PhoneNumber) -> str:
        """Show the number in international notation, with spaces."""
        return describe_number(record.number).pretty

    @admin.display(description=f"last {MAX_SHOWN_CHANGES} changes")
    def history(self, record: PhoneNumber) -> SafeString:
        """Show the number's changes, the newest first."""
        changes = NumberChange.objects.filter(number=record.number).order_by("-id")
        rows = [
            (
                f"{change.at:%Y-%m-%d %H:%M:%S}",
                change.action,
                f"{change.from_state or '-'} → {change.to_state or '-'}",
                f"{change.from_account or '-'} → {change.to_account or '-'}",
                change.task_id or "-",
            )
            for change in changes[:MAX_SHOWN_CHANGES]
        ]
        body = format_html_join(
            "", "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>", rows
        )
        return format_html(
            "<table><tr><th>at (UTC)</th><th>action</th><th>state</th><th>account</th>"
            "<th>task</th></tr>{}</table>",
            body,
        )


@admin.register(NumberChange)
class NumberChangeAdmin(NumberSearch):
    """The history of all numbers, including deleted ones."""

    list_display = (
        "number", "action", "from_state", "to_state", "to_account", "by_account", "task_id", "at",
    )  # fmt: skip
    ordering = ("-id",)
