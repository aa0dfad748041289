"""The registry of categories: finds categories and actions by name."""

from categories.registry.finding import (
    all_categories,
    all_entries,
    expire,
    get_action,
    get_category,
    known_names,
    offered,
    registered,
    unchanged,
)
from categories.registry.loaded import Entry
from categories.registry.schemas import find_problem as find_schema_problem

__all__ = [
    "Entry",
    "all_categories",
    "all_entries",
    "expire",
    "find_schema_problem",
    "get_action",
    "get_category",
    "known_names",
    "offered",
    "registered",
    "unchanged",
]
