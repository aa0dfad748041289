"""The types of columns: each parses, validates, formats and describes its cells."""

from categories.columns.base import (
    BLANKS,
    UNSTORABLE,
    Column,
    find_undeclared,
    is_unset,
    takes,
)
from categories.columns.documents import JSONColumn, ListColumn
from categories.columns.texts import (
    AccountColumn,
    E164Column,
    EmailColumn,
    PatternColumn,
    TextColumn,
    URLColumn,
)
from categories.columns.times import DateColumn, DateTimeColumn, DurationColumn, MomentColumn
from categories.columns.values import BoundedColumn, DecimalColumn, IntegerColumn, MoneyColumn
from categories.columns.words import BooleanColumn, ChoiceColumn, CountryColumn, WordsColumn

__all__ = [
    "BLANKS",
    "UNSTORABLE",
    "AccountColumn",
    "BooleanColumn",
    "BoundedColumn",
    "ChoiceColumn",
    "Column",
    "CountryColumn",
    "DateColumn",
    "DateTimeColumn",
    "DecimalColumn",
    "DurationColumn",
    "E164Column",
    "EmailColumn",
    "IntegerColumn",
    "JSONColumn",
    "ListColumn",
    "MomentColumn",
    "MoneyColumn",
    "PatternColumn",
    "TextColumn",
    "URLColumn",
    "WordsColumn",
    "find_undeclared",
    "is_unset",
    "takes",
]
