"""The columns of a number in files: 26 in an export, 16 of them features."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from categories.columns import (
    AccountColumn,
    BooleanColumn,
    ChoiceColumn,
    Column,
    DateTimeColumn,
    E164Column,
    TextColumn,
)
from categories.contract import Row
from categories.number_management.carriers import CARRIERS, LOCAL_CARRIER
from categories.number_management.states import NumberState

UNUSED = "Accepted as an export has it; the system sets it."
TEXT_LENGTH = 255  # characters of a feature


class Feature(NamedTuple):
    """A column, and the path of its value in the number's features."""

    column: Column[Any]
    path: tuple[str, ...]


def text(name: str, help_text: str, example: str) -> Column[str]:
    """Return the column of a text feature."""
    return TextColumn(name, help_text, example=example, max_length=TEXT_LENGTH)


FEATURES = (
    Feature(
        BooleanColumn("cnam.inbound", "Look up the names of callers."), ("cnam", "inbound_lookup")
    ),
    Feature(text("cnam.outbound", "Name shown to those called.", "Cafe"), ("cnam", "display_name")),
    Feature(text("e911.locality", "Town, for emergency calls.", "Dover"), ("e911", "locality")),
    Feature(text("e911.name", "Name, for emergency calls.", "Ann Bell"), ("e911", "caller_name")),
    Feature(text("e911.region", "Region, for emergency calls.", "DE"), ("e911", "region")),
    Feature(
        text("e911.street_address", "Street, for emergency calls.", "1 Main St"),
        ("e911", "street_address"),
    ),
    Feature(
        text("e911.extended_address", "Floor or flat, for emergency calls.", "Flat 2"),
        ("e911", "extended_address"),
    ),
    Feature(
        text("e911.postal_code", "Postal code, for emergency calls.", "19901"),
        ("e911", "postal_code"),
    ),
    Feature(
        BooleanColumn("prepend.enabled", "Put the prefix before callers' names."),
        ("prepend", "enabled"),
    ),
    Feature(text("prepend.name", "Prefix of callers' names.", "Shop:"), ("prepend", "name")),
    Feature(text("prepend.number", "Prefix of callers' numbers.", "9"), ("prepend", "number")),
    Feature(text("ringback.early", "Tone before the answer.", "us-ring"), ("ringback", "early")),
    Feature(
        text("ringback.transfer", "Tone during a transfer.", "us-ring"), ("ringback", "transfer")
    ),
    Feature(BooleanColumn("force_outbound", "Route calls to it outside."), ("force_outbound",)),
    Feature(
        E164Column("failover.e164", "Number that gets its calls when it cannot."),
        ("failover", "e164"),
    ),
    Feature(
        text("failover.sip", "SIP address that gets its calls when it cannot.", "sip:a@b.example"),
        ("failover", "sip"),
    ),
)
FEATURE_COLUMNS = tuple(feature.column for feature in FEATURES)

E164 = E164Column("e164", "The number.", mandatory=True)
ACCOUNT_ID = AccountColumn("account_id", "Account that has it; unset: the task's account.")
STATE = ChoiceColumn("state", "What may be done with it.", choices=NumberState.values)
CARRIER_MODULE = ChoiceColumn(
    "carrier_module", "Carrier it comes from.", choices=CARRIERS, example=LOCAL_CARRIER
)
PORTED_IN = BooleanColumn("ported_in", "Whether it came from another operator.", example="false")

NUMBER_COLUMNS: tuple[Column[Any], ...] = (
    E164,
    TextColumn("account_name", UNUSED, example="Cafe"),
    ACCOUNT_ID,
    AccountColumn("previously_assigned_to", UNUSED),
    STATE,
    DateTimeColumn("created", UNUSED),
    DateTimeColumn("modified", UNUSED),
    TextColumn("used_by", UNUSED, example="callflow"),
    PORTED_IN,
    CARRIER_MODULE,
    *FEATURE_COLUMNS,
)


def features_given(names: Iterable[str]) -> list[Feature]:
    """Return the features that have a column among `names`."""
    present = set(names)
    return [feature for feature in FEATURES if feature.column.name in present]


def make_features(row: Row, given: Iterable[Feature]) -> dict[str, Any]:
    """Return the features that a row sets; unset cells add none."""
    document: dict[str, Any] = {}
    for column, path in given:
        value = row[column.name]
        if value is not None:
            put_value(document, path, value)
    return document


def put_value(document: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    """Set a value in a nested document."""
    for word in path[:-1]:
        document = document.setdefault(word, {})
    document[path[-1]] = value


def read_value(document: Any, path: tuple[str, ...]) -> Any:
    """Return the value at a path of a nested document; None if there is none."""
    for word in path:
        if not isinstance(document, dict):
            return None
        document = document.get(word)
    return document


def merge_features(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the old features, replaced by new ones at any depth."""
    merged = dict(old)
    for word, value in new.items():
        before = merged.get(word)
        if isinstance(before, dict) and isinstance(value, dict):
            value = merge_features(before, value)  # noqa: PLW2901
        merged[word] = value
    return merged
