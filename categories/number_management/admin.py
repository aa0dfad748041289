"""The admin pages of telephone numbers and their history.

Tasks change numbers. Staff only record what happens at carriers and other operators.
"""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms.models import ModelForm
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from categories.errors import CellError
from categories.number_management.by_hand import PORTS, record_discovery, record_port
from categories.number_management.carriers import CARRIERS
from categories.number_management.columns import E164
from categories.number_management.describing import describe_number
from categories.number_management.errors import NOT_RECONCILABLE
from categories.number_management.models import (
    NUMBER_LENGTH,
    NumberChange,
    PhoneNumber,
    PhoneNumberQuerySet,
)
from categories.number_management.reconcilable import is_reconcilable
from piston.accounts.models import Account
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


class DiscoveryForm(forms.ModelForm):
    """The form of a number that a carrier offers."""

    carrier_module = forms.ChoiceField(choices=[(name, name) for name in CARRIERS])

    class Meta:
        model = PhoneNumber
        fields = ("number", "carrier_module")

    def clean_number(self) -> str:
        """Refuse what is no number of a numbering plan."""
        number: str = self.cleaned_data["number"]
        try:
            E164.parse(number)
        except CellError as error:
            raise forms.ValidationError(f"This is {error.why}.") from error
        if not is_reconcilable(number):
            raise forms.ValidationError(NOT_RECONCILABLE.format(number=number))
        return number


@admin.register(PhoneNumber)
class PhoneNumberAdmin(NumberSearch):
    """Numbers, with their description from the numbering plans and their history.

    "Add" is for a number that a carrier offers: it is put in discovery.
    """

    list_display = ("number", "state", "account", "country", "carrier_module", "modified_at")
    list_filter = ("state",)  # has an index; another filter would read millions of rows
    list_select_related = ("account",)
    search_help_text = "The beginning of a number, as +1415; or the id of an account."
    ordering = ("number",)
    readonly_fields = ("pretty", "country", "kind", "reserved_by", "history")
    exclude = ("reservations",)
    form = DiscoveryForm
    actions = ("port_out", "cancel_port_out")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Permit to record what a carrier offers to users who may add numbers."""
        return request.user.has_perm("number_management.add_phonenumber")

    def has_port_permission(self, request: HttpRequest) -> bool:
        """Permit the actions about ports to users who may change numbers."""
        return request.user.has_perm("number_management.change_phonenumber")

    def get_fields(self, request: HttpRequest, obj: PhoneNumber | None = None) -> Any:
        """Ask only for what a carrier tells, when a number is added."""
        return super().get_fields(request, obj) if obj else DiscoveryForm.Meta.fields

    def save_model(
        self, request: HttpRequest, obj: PhoneNumber, form: ModelForm[PhoneNumber], change: bool
    ) -> None:
        """Put the new number in discovery."""
        record_discovery(obj, timezone.now())

    @admin.action(description="In service: goes to another operator", permissions=["port"])
    def port_out(self, request: HttpRequest, queryset: PhoneNumberQuerySet) -> None:
        """Record that the chosen numbers are being ported away."""
        self._record_port(request, queryset, "port_out")

    @admin.action(description="Port out: stays here", permissions=["port"])
    def cancel_port_out(self, request: HttpRequest, queryset: PhoneNumberQuerySet) -> None:
        """Record that the chosen numbers stay."""
        self._record_port(request, queryset, "cancel_port_out")

    def _record_port(
        self, request: HttpRequest, queryset: PhoneNumberQuerySet, action: str
    ) -> None:
        before, after = PORTS[action]
        for number in queryset.filter(state=before):
            self.log_change(request, number, f"{before} → {after}")
        count = record_port(queryset, action, timezone.now())
        messages.success(request, f"{before} → {after}: {count}.")

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

    @admin.display(description="reserved by, the newest first")
    def reserved_by(self, record: PhoneNumber) -> str:
        """Show the accounts that reserved it: a release gives it back along this list."""
        ids = (record.reservations or "").split()
        names = dict(Account.objects.filter(pk__in=ids).values_list("pk", "name"))
        return ", ".join(f"{names.get(id_, '?')} ({id_})" for id_ in ids) or "-"

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
