"""The admin's forms for a rate, and for looking up a number's rate."""

from __future__ import annotations

import re
from typing import Any

from django import forms

from categories.rates.filling import fill, make_caller_patterns, make_rate_id, merge
from categories.rates.models import Direction, Rate

# the fields that are filled in, and those from which they are derived
FILLING = (
    "direction",
    "internal_rate_cost",
    "iso_country_code",
    "prefix",
    "rate_cost",
    "rate_name",
    "routes",
    "weight",
)


class RateForm(forms.ModelForm):
    """A rate, filled in like an imported one."""

    class Meta:
        model = Rate
        fields = (
            "ratedeck",
            "rate_id",
            "prefix",
            "rate_cost",
            "iso_country_code",
            "direction",
            "rate_suffix",
            "rate_name",
            "description",
            "rate_increment",
            "rate_minimum",
            "rate_nocharge_time",
            "rate_surcharge",
            "internal_rate_cost",
            "weight",
            "routes",
            "caller_id_numbers",
            "options",
            "carrier",
            "rate_version",
            "account",
        )

    def clean_caller_id_numbers(self) -> str | None:
        """Return the callers as patterns."""
        text: str | None = self.cleaned_data["caller_id_numbers"]
        return make_caller_patterns(text) if text else None

    def clean_options(self) -> list[str]:
        """Return a list of texts."""
        return clean_texts(self.cleaned_data["options"])

    def clean_routes(self) -> list[str]:
        """Return a list of texts."""
        return clean_texts(self.cleaned_data["routes"])

    def clean(self) -> dict[str, Any]:
        """Fill in empty fields, and derive fields again that depend on a changed one."""
        super().clean()
        cleaned = self.cleaned_data
        if self.errors:
            return cleaned
        typed = {field: cleaned[field] for field in FILLING}
        if self.instance.pk is None:
            cleaned |= fill(typed)
        else:
            stored = {field: getattr(self.instance, field) for field in FILLING}
            cleaned |= merge(
                stored, {field: typed[field] for field in self.changed_data if field in typed}
            )
        if not cleaned.get("rate_id"):
            cleaned["rate_id"] = make_rate_id(
                cleaned["iso_country_code"], cleaned["prefix"], cleaned["rate_suffix"]
            )
        return cleaned


def clean_texts(value: Any) -> list[str]:
    """Return a list of texts, empty for None; raise ValidationError for any other value."""
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise forms.ValidationError('Write a JSON list of texts: ["a", "b"].')
    return value


class NumberForm(forms.Form):
    """A number whose rate is looked up."""

    number = forms.CharField(max_length=32, help_text="With its country's code: +1 415 723 5234.")
    direction = forms.ChoiceField(choices=[("", "either way"), *Direction.choices], required=False)

    def clean_number(self) -> str:
        """Return the digits of the number, without the separators that people type."""
        digits = re.sub(r"[\s()./-]", "", self.cleaned_data["number"]).removeprefix("+")
        if not re.fullmatch(r"[1-9][0-9]{1,14}", digits):
            raise forms.ValidationError("Write the number with its country's code: + and digits.")
        return digits

    def clean_direction(self) -> str | None:
        """Return None for both directions."""
        return self.cleaned_data["direction"] or None
