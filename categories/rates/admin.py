"""The admin pages of rates, where staff edit decks and rates, and look up a number's rate."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse

from categories.rates.forms import NumberForm, RateForm
from categories.rates.models import Rate, Ratedeck
from categories.rates.models.rate import format_cost

# a subquery for each deck on the page; a join would count the rates of all decks
RATE_COUNT = Coalesce(
    Subquery(
        Rate.objects.filter(ratedeck=OuterRef("pk"))
        .order_by()
        .values("ratedeck")
        .annotate(count=Count("pk"))
        .values("count"),
        output_field=IntegerField(),
    ),
    0,
)


@admin.register(Ratedeck)
class RatedeckAdmin(admin.ModelAdmin):
    """Ratedecks, with a form that looks up a number's rate. Only empty decks can be deleted."""

    list_display = ["name", "owner", "rate_count"]
    list_select_related = ["account"]
    list_per_page = 50
    search_fields = ["name", "account__name", "=account__id"]
    search_help_text = "A part of the deck's or its owner's name, or the owner's id."
    ordering = ["account__name", "name", "pk"]
    raw_id_fields = ["account"]
    actions = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[Ratedeck]:
        """Return the decks with the number of their rates."""
        decks: QuerySet[Ratedeck] = super().get_queryset(request)
        return decks.annotate(rate_count=RATE_COUNT)

    @admin.display(description="owner")
    def owner(self, deck: Ratedeck) -> str:
        """Name the reseller, or the system."""
        return str(deck.account or "the system")

    @admin.display(description="rates")
    def rate_count(self, deck: Any) -> int:
        """Return how many rates the deck has."""
        count: int = deck.rate_count
        return count

    def get_readonly_fields(self, request: HttpRequest, obj: Ratedeck | None = None) -> list[str]:
        """Forbid a new owner for a deck, which would show one tenant's rates to another."""
        return ["account"] if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: Ratedeck | None = None) -> bool:
        """Forbid deleting a deck that has rates."""
        allowed = super().has_delete_permission(request, obj)
        return allowed and (obj is None or not obj.rates.exists())

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show a deck, and the rate of the number in the form."""
        asked = NumberForm(request.GET) if "number" in request.GET else NumberForm()
        context: dict[str, Any] = {"number_form": asked}
        if asked.is_valid():
            rates = Rate.objects.filter(ratedeck=self.get_object(request, object_id))
            context["number"] = asked.cleaned_data["number"]
            context["rate"] = rate = rates.rate_number(
                asked.cleaned_data["number"], direction=asked.cleaned_data["direction"]
            )
            context["cost"] = rate and format_cost(rate.rate_cost)
            context["surcharge"] = rate and format_cost(rate.rate_surcharge)
        return super().change_view(request, object_id, form_url, context | (extra_context or {}))


@admin.register(Rate)
class RateAdmin(admin.ModelAdmin):
    """Rates, searched by the beginning of their id or prefix."""

    form = RateForm
    list_display = [
        "rate_id",
        "ratedeck",
        "rate_name",
        "prefix",
        "cost",
        "direction",
        "weight",
    ]
    list_filter = ["ratedeck", "direction"]
    list_select_related = ["ratedeck__account"]
    list_per_page = 50
    show_full_result_count = False
    search_fields = ["prefix__startswith", "rate_id__startswith"]
    search_help_text = "How the prefix or the id begins."
    ordering = ["ratedeck", "rate_id"]
    raw_id_fields = ["account"]
    autocomplete_fields = ["ratedeck"]
    actions = None

    @admin.display(description="cost", ordering="rate_cost")
    def cost(self, rate: Rate) -> str:
        """Return the cost of a minute, without trailing zeros."""
        return format_cost(rate.rate_cost)

    def get_readonly_fields(self, request: HttpRequest, obj: Rate | None = None) -> list[str]:
        """Forbid changing a rate's deck and id, by which imports find it."""
        return ["ratedeck", "rate_id"] if obj else []

    def save_model(self, request: HttpRequest, obj: Rate, form: Any, change: Any) -> None:
        """Save; the rate is no longer what a row of an import wrote."""
        obj.task_id = obj.task_row = None
        super().save_model(request, obj, form, change)
