"""Writes numbers as cells of an output file, in the order of NUMBER_COLUMNS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from categories.contract.outcomes import Texts
from categories.number_management.columns import FEATURES
from categories.number_management.records import NumberRecord

NO_TEXTS = ("",) * len(FEATURES)
ALONE = ""  # stands for the second word of a path of one word
# first word of a path -> second word -> place of the column
PLACES: dict[str, dict[str, int]] = {}
for place, (_, (first, *rest)) in enumerate(FEATURES):
    PLACES.setdefault(first, {})[rest[0] if rest else ALONE] = place


def number_texts(record: NumberRecord, account_name: str | None) -> Texts:
    """Return a number's cells."""
    return Texts(
        (
            record.number,
            account_name or "",
            record.account_id or "",
            record.previously_assigned_to or "",
            record.state,
            str(record.created),
            str(record.modified),
            record.used_by or "",
            "true" if record.ported_in else "false",
            record.carrier_module,
            *(feature_texts(record.features) if record.features else NO_TEXTS),
        )
    )


def feature_texts(features: Mapping[str, Any]) -> list[str]:
    """Return the cells of the features that have a column."""
    texts = [""] * len(FEATURES)
    for first, value in features.items():
        places = PLACES.get(first)
        if places is None:
            continue
        for second, inner in value.items() if value.__class__ is dict else ((ALONE, value),):
            place = places.get(second)
            if place is not None:
                is_text = inner.__class__ is str
                texts[place] = inner if is_text else FEATURES[place].column.format(inner)
    return texts
