"""Checks that the engine can call what a plugin defines: the methods of actions, jobs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

from categories.locations import Location

Problems = Iterator[tuple[str, Location | None]]

# The arguments with which the engine calls each method of an action
ARGUMENTS = {
    "permitted": ("context",),
    "process": ("row", "context"),
    "process_batch": ("rows", "context"),
    "total": ("context",),
    "page": ("cursor", "context"),
    "finish": ("context",),
}
NOT_PLAIN: dict[str, Callable[[Any], bool]] = {
    "async": inspect.iscoroutinefunction,
    "a generator": inspect.isgeneratorfunction,
    "an asynchronous generator": inspect.isasyncgenfunction,
}


def find_wrong_methods(action: type) -> Problems:
    """Yield a problem for each method that the engine cannot call."""
    for name, arguments in ARGUMENTS.items():
        if hasattr(action, name):
            method = inspect.getattr_static(action, name)
            called = f"{name}({', '.join(arguments)})"
            yield from find_wrong_call(name, method, called, len(arguments))
    constructor = inspect.getattr_static(action, "__init__")
    yield from find_wrong_call("__init__", constructor, "__init__()", 0)


def find_wrong_call(name: str, method: Any, called: str, count: int, *, of: int = 1) -> Problems:
    """Yield a problem if the function cannot be called with so many arguments.

    `of` is the number of arguments before them: a method has `self`.
    """
    function = method.__func__ if isinstance(method, classmethod | staticmethod) else method
    if not callable(function):
        yield f"{name} must be a method, but is {method!r}", None
        return
    line = find_line(function)
    for kind, is_kind in NOT_PLAIN.items():
        if is_kind(function):
            yield f"{name} is {kind}: the engine calls it and takes what it returns", line
    before = 0 if isinstance(method, staticmethod) else of
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # of C code, which has none
        return
    try:
        signature.bind(*[None] * (before + count))
    except TypeError:
        first = next(iter(signature.parameters), "")
        lacks_self = before == 1 and first and f"({first}" in called
        hint = ", without self" if lacks_self else ""
        yield f"{name} cannot be called as {called}: it is {name}{signature}{hint}", line


def find_line(function: Any) -> Location | None:
    """Return where a function is defined, if Python knows."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return None if code is None else Location(code.co_filename, code.co_firstlineno)
