"""Lists and explains the categories and actions on offer: `GET /v2/tasks` (decisions §5)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from weakref import WeakKeyDictionary

from categories import registry
from categories.contract import Action, Category
from categories.contract.help_and_template import csv_template, describe_action
from categories.errors import UnknownAction, UnknownCategory
from piston.http.errors import InvalidRequest

_described: WeakKeyDictionary[type[Category], dict[str, Any]] = WeakKeyDictionary()


def describe(category: str, action: str) -> dict[str, Any]:
    """Return the help for one action, for a category's actions, or for everything.

    Raises InvalidRequest for an unknown name, and for an action without its category.
    """
    if category and action:
        found, named = offered_action(category, action)
        return {action: describe_category(found)[named.name]}
    if category:
        return describe_category(offered_category(category))
    if action:
        raise refuse("an action is named together with its category")
    return {each.name: describe_category(each) for each in registry.all_categories()}


def template(category: str, action: str) -> str | None:
    """Return the CSV template of an action; None if no action is named or it takes no input.

    Raises InvalidRequest for an unknown name.
    """
    if not (category and action):
        return None
    _, named = offered_action(category, action)
    return csv_template(named) if named.takes_input else None


def describe_category(category: type[Category]) -> dict[str, Any]:
    """Return the help for each action, built once per class: a new version is a new class."""
    if category not in _described:
        _described[category] = {each.name: describe_action(each) for each in category.actions}
    return _described[category]


def offered_category(name: str) -> type[Category]:
    """Return a category that takes new tasks, or raise InvalidRequest."""
    try:
        return registry.get_category(name, for_new_task=True)
    except UnknownCategory as error:
        raise refuse_name("category", name, error.known) from error


def offered_action(category: str, name: str) -> tuple[type[Category], type[Action]]:
    """Return a category that takes new tasks and its action, or raise InvalidRequest."""
    offered_category(category)
    try:
        return registry.get_action(category, name, for_new_task=True)
    except UnknownAction as error:
        raise refuse_name("action", name, error.known) from error


def refuse_name(kind: str, name: str, known: Iterable[str]) -> InvalidRequest:
    """Return the error for an unknown name, with the list of known names."""
    return refuse(f"there is no {kind} {name!r}; there are: {', '.join(known) or 'none'}")


def refuse(reason: str) -> InvalidRequest:
    """Return the specification's error, with a reason."""
    return InvalidRequest({"message": "invalid request", "reason": reason})
