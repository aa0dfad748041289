"""Explains an action: its help in `GET /v2/tasks`, and its CSV template."""

from __future__ import annotations

import csv
import io
from typing import Any

from categories.contract import Action


def describe_action(action: type[Action]) -> dict[str, Any]:
    """Return the object that `GET /v2/tasks` shows for an action (decisions §5)."""
    described: dict[str, Any] = {"description": action.description, "doc": action.doc}
    if action.takes_input:
        described["expected_content"] = "text/csv"
        described["mandatory"] = [column.name for column in action.columns if column.mandatory]
        described["optional"] = [column.name for column in action.columns if not column.mandatory]
        described["columns"] = [column.describe() for column in action.columns]
    described["output"] = [column.name for column in action.output]
    return described


def csv_template(action: type[Action]) -> str:
    """Return a CSV with the header and one row of examples; "" for an action without input."""
    if not action.takes_input:
        return ""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(column.example_name for column in action.columns)
    lines.writerow(column.example for column in action.columns)
    return text.getvalue()
