"""The admin page of quantities, read-only."""

from __future__ import annotations

from django.contrib import admin

from categories.services.models import ServiceQuantity
from piston.admin.read_only import ReadOnlyAdmin


@admin.register(ServiceQuantity)
class ServiceQuantityAdmin(ReadOnlyAdmin):
    """A list to read and filter; only commands and a periodic job write quantities."""

    list_display = ["account", "year", "month", "has_bom", "has_eom", "unknown"]
    list_filter = ["year", "month"]
    list_select_related = ["account"]
    search_fields = ["=account__id", "account__name"]
    search_help_text = "An account's id, or a part of its name."
    ordering = ["-year", "-month", "account"]

    @admin.display(boolean=True, description="beginning taken")
    def has_bom(self, quantity: ServiceQuantity) -> bool:
        """Tell whether there is a document of the month's beginning."""
        return quantity.bom is not None

    @admin.display(boolean=True, description="end taken")
    def has_eom(self, quantity: ServiceQuantity) -> bool:
        """Tell whether there is a document of the month's end."""
        return quantity.eom is not None

    @admin.display(description="not known")
    def unknown(self, quantity: ServiceQuantity) -> str:
        """Name the categories that were missed and cannot be made up."""
        documents = {"beginning": quantity.bom or {}, "end": quantity.eom or {}}
        return ", ".join(
            f"{category} at the {end}"
            for end, document in documents.items()
            for category, items in document.items()
            if items is None
        )
