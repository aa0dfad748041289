"""What does staff see of services? The quantities, to read."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from categories.services.models import ServiceQuantity


@admin.register(ServiceQuantity)
class ServiceQuantityAdmin(admin.ModelAdmin):
    """A list to read and filter; quantities are taken and imported by commands, never typed."""

    list_display = ["account", "year", "month", "has_bom", "has_eom"]
    list_filter = ["year", "month"]
    list_select_related = ["account"]
    list_per_page = 50
    search_fields = ["=account__id", "account__name"]
    search_help_text = "An account's id, or a part of its name."
    ordering = ["-year", "-month", "account"]
    show_full_result_count = False

    @admin.display(boolean=True, description="beginning taken")
    def has_bom(self, quantity: ServiceQuantity) -> bool:
        """Tell whether the document of the month's beginning is there."""
        return quantity.bom is not None

    @admin.display(boolean=True, description="end taken")
    def has_eom(self, quantity: ServiceQuantity) -> bool:
        """Tell whether the document of the month's end is there."""
        return quantity.eom is not None

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Quantities are never typed."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Quantities are never changed by hand."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Quantities go with their account only."""
        return False
