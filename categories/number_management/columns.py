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
from categories.contract import Row, RowFailed
from categories.number_management.carriers import CARRIERS, LOCAL_CARRIER
from categories.number_management.errors import HAS_ITS_OWN, IN_THE_WAY
from categories.number_management.states import NumberState

UNUSED = "Accepted as an export has it; the system sets it."
TEXT_LENGTH = 255  # characters of a feature
OPAQUE_LENGTH = 1_000  # characters of an opaque field


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
CARRIER_NAME = text("carrier_name", "Name of the carrier, as people know it.", "Telnyx")
OPAQUE_PREFIX = "opaque."
OPAQUE = TextColumn(
    f"{OPAQUE_PREFIX}*",
    "Fields of your own: opaque.a.b sets b within a.",
    max_length=OPAQUE_LENGTH,
)


class Field(NamedTuple):
    """The name of a column in a file, and the path of its value in a number's public fields."""

    name: str
    path: tuple[str, ...]


PATHS = {column.name: path for column, path in FEATURES} | {CARRIER_NAME.name: (CARRIER_NAME.name,)}
OWN_WORDS = frozenset(path[0] for path in PATHS.values())

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


def find_fields(names: Iterable[str]) -> list[Field]:
    """Return the public fields for which a file has a column, by the names of its columns."""
    return [
        Field(name, PATHS.get(name) or tuple(name.split(".")[1:]))
        for name in names
        if name in PATHS or name.startswith(OPAQUE_PREFIX)
    ]


def make_features(row: Row, fields: Iterable[Field]) -> dict[str, Any]:
    """Return the public fields that a row sets; unset cells add none.

    Raises RowFailed if an opaque column would set what has its own column, or lies within another.
    """
    document: dict[str, Any] = {}
    for name, path in fields:
        value = row[name]
        if value is None:
            continue
        if name not in PATHS and path[0] in OWN_WORDS:
            raise RowFailed(HAS_ITS_OWN.format(column=name, field=path[0]))
        if not put_value(document, path, value):
            raise RowFailed(IN_THE_WAY.format(column=name))
    return document


def put_value(document: dict[str, Any], path: tuple[str, ...], value: Any) -> bool:
    """Set a value in a nested document; return False if a value is in the way."""
    inner: Any = document
    for word in path[:-1]:
        inner = inner.setdefault(word, {})
        if not isinstance(inner, dict):
            return False
    return inner.setdefault(path[-1], value) is value


def merge_features(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the old features, replaced by new ones at any depth."""
    merged = dict(old)
    for word, value in new.items():
        before = merged.get(word)
        if isinstance(before, dict) and isinstance(value, dict):
            value = merge_features(before, value)  # noqa: PLW2901
        merged[word] = value
    return merged
