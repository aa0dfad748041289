"""The types of columns: each parses, validates, formats and describes its cells."""

from categories.columns.base import BLANKS, Column, find_undeclared, is_unset, takes
from categories.columns.texts import (
    AccountColumn,
    ChoiceColumn,
    E164Column,
    PatternColumn,
    TextColumn,
)
from categories.columns.values import (
    BooleanColumn,
    BoundedColumn,
    DateTimeColumn,
    DecimalColumn,
    IntegerColumn,
    JSONColumn,
)

__all__ = [
    "BLANKS",
    "AccountColumn",
    "BooleanColumn",
    "BoundedColumn",
    "ChoiceColumn",
    "Column",
    "DateTimeColumn",
    "DecimalColumn",
    "E164Column",
    "IntegerColumn",
    "JSONColumn",
    "PatternColumn",
    "TextColumn",
    "find_undeclared",
    "is_unset",
    "takes",
]
