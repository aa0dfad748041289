"""Writes the docs page of categories, in Markdown, from what they declare."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

from categories.columns import Column
from categories.contract import Action, Category
from categories.contract.rows import OutputShape

MAX_LINE = 118  # characters
BAR = "\\|"
INTRODUCTION = """\
# Categories and their actions

`python manage.py list_categories --markdown` writes this page from what the categories declare,
plugins included.

A row whose cell breaks the rule of its column fails with `bad field(s) COLUMNS: REASONS`. Its
action does not see it. In the errors below, a word in braces stands for a value.
"""


def write_page(categories: Iterable[type[Category]]) -> str:
    """Return the page of all these categories."""
    lines = [INTRODUCTION, *(line for each in categories for line in of_category(each))]
    return "\n".join(lines).rstrip("\n") + "\n"


def of_category(category: type[Category]) -> Iterator[str]:
    """Yield the lines of a category: its documentation, its actions, its jobs."""
    yield f"## {category.name}"
    yield f"{wrap(category.doc)}\n"
    for action in category.actions:
        yield f"### {category.name} {action.name}"
        yield from of_action(action)
    if category.periodic:
        yield "| job | runs every | what it does |\n|---|---|---|"
        for job in category.periodic:
            yield table_row(job.name, job.every, job.description)
        yield ""


def of_action(action: type[Action]) -> Iterator[str]:
    """Yield the lines of an action: its documentation, its input, its output, its errors."""
    yield wrap(action.description)
    if action.doc != action.description:
        yield f"\n{wrap(action.doc)}"
    yield ""
    if action.columns:
        yield "| input column | mandatory | meaning | rule | example |\n|---|---|---|---|---|"
        yield from map(of_column, action.columns)
        yield ""
    else:
        yield "It takes no input.\n"
    if action.output:
        yield "| output column | meaning |\n|---|---|"
        for column in action.output:
            yield table_row(f"`{column.name}`", column.help)
        yield ""
    kept = "" if action.replaces_header or not action.takes_input else "the input's columns, "
    names = ", ".join(OutputShape(action).header)
    yield wrap(f"Output: {kept}{names}.") + "\n"
    if action.errors:
        yield "Rows fail with:\n"
        for error in action.errors:
            yield wrap(f"* `{error}`")
        yield ""


def of_column(column: Column[Any]) -> str:
    """Return the line of an input column."""
    need = "yes" if column.mandatory else ""
    example = f"`{column.example}`" if column.example else ""
    return table_row(f"`{column.name}`", need, column.help, column.rule, example)


def wrap(text: str) -> str:
    """Return the text with its long lines broken."""
    return "\n".join(textwrap.fill(line, MAX_LINE) for line in text.splitlines())


def table_row(*cells: str) -> str:
    """Return a row of a table; a bar or a line break in a cell would end the cell."""
    return f"| {' | '.join(' '.join(cell.replace('|', BAR).split()) for cell in cells)} |"
