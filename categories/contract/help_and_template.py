"""Explains an action: its help in `GET /v2/tasks`, its CSV template, the schema of its records."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

from categories.columns import Column
from categories.columns.base import OPEN_END, OPEN_WORDS
from categories.contract import Action
from categories.contract.rows import accepted_columns

DIALECT = "https://json-schema.org/draft/2020-12/schema"
UNSET = {"type": ["null", "string"], "pattern": r"^[ \t]*$"}
IS_UNSET = {"$ref": "#/$defs/unset"}
IGNORED = {"description": "Accepted and ignored: the action writes it itself."}


def describe_action(action: type[Action]) -> dict[str, Any]:
    """Return the object that `GET /v2/tasks` shows for an action (decisions §5)."""
    described: dict[str, Any] = {"description": action.description, "doc": action.doc}
    if action.takes_input:
        described["expected_content"] = "text/csv"
        described["mandatory"] = [column.name for column in action.columns if column.mandatory]
        described["optional"] = [column.name for column in action.columns if not column.mandatory]
        described["columns"] = [column.describe() for column in action.columns]
        described["schema"] = record_schema(action)
    described["output"] = [column.name for column in action.output]
    if action.errors:
        described["errors"] = list(action.errors)
    return described


def record_schema(action: type[Action]) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of one of the `records` of a request."""
    values = {column.name: value_schema(column) for column in action.columns}
    open_patterns = {each.name: name_pattern(each) for each in action.columns if each.is_open}
    fixed = [name for name in accepted_columns(action) if name not in open_patterns]
    return {
        "$schema": DIALECT,
        "title": action.description,
        "type": "object",
        "properties": {name: values.get(name, IGNORED) for name in fixed},
        "patternProperties": {open_patterns[name]: values[name] for name in open_patterns},
        "required": [column.name for column in action.columns if column.mandatory],
        "additionalProperties": False,
        "$defs": {"unset": UNSET},
    }


def name_pattern(column: Column[Any]) -> str:
    """Return a pattern of the names that an open column stands for."""
    return f"^{re.escape(column.name.removesuffix(OPEN_END))}{OPEN_WORDS.pattern}$"


def value_schema(column: Column[Any]) -> dict[str, Any]:
    """Return the JSON Schema of a column's values; only a mandatory one must be set."""
    schema = column.json_schema()
    schema = schema | {"not": IS_UNSET} if column.mandatory else {"anyOf": [IS_UNSET, schema]}
    examples = {"examples": [column.example]} if column.example else {}
    return {"description": column.help, **schema, **examples}


def csv_template(action: type[Action]) -> str:
    """Return a CSV with the header and one row of examples; "" for an action without input."""
    if not action.takes_input:
        return ""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(column.example_name for column in action.columns)
    lines.writerow(column.example for column in action.columns)
    return text.getvalue()
