"""What do lists that are only read have in common? No hands on rows, and pages that stay fast."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import BadRequest
from django.http import HttpRequest

from tasks_app.admin.counting import CappedList, CappedPaginator


class ReadOnlyAdmin(admin.ModelAdmin):
    """Rows that nobody adds, edits or deletes by hand; whoever may view them sees them."""

    list_per_page = 50
    paginator = CappedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    sortable_by = ()
    change_form_template = "admin/tasks_app/read_only.html"
    list_title: ClassVar[str]

    class Media:
        css: ClassVar = {"all": ("tasks_app/admin.css",)}

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Return the list that walks through the rows once."""
        return CappedList

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Show the list in the whole width: it has many columns."""
        if "\0" in "".join(value for _, values in request.GET.lists() for value in values):
            raise BadRequest("A text cannot contain NUL.")  # PostgreSQL knows no such text
        context = {"is_nav_sidebar_enabled": False, "title": self.list_title}
        return super().changelist_view(request, context | (extra_context or {}))
