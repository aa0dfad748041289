"""The base of the admin lists of tasks: full width, in a fixed order."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.core.exceptions import BadRequest
from django.http import HttpRequest

from piston.admin.read_only import ReadOnlyAdmin


class WideAdmin(ReadOnlyAdmin):
    """A list with many columns, in the order of its index, and pages without a save button."""

    show_facets = admin.ShowFacets.NEVER
    sortable_by = ()
    change_form_template = "admin/tasks_app/read_only.html"
    list_title: ClassVar[str]

    class Media:
        css: ClassVar = {"all": ("tasks_app/admin.css",)}

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Show the list without the sidebar, because it has many columns."""
        if "\0" in "".join(value for _, values in request.GET.lists() for value in values):
            raise BadRequest("A text cannot contain NUL.")  # PostgreSQL refuses it
        context = {"is_nav_sidebar_enabled": False, "title": self.list_title}
        return super().changelist_view(request, context | (extra_context or {}))
