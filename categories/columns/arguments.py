"""Tells authors of wrong arguments: a sentence with file and line, where Python has a traceback."""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection, Iterable
from difflib import get_close_matches
from typing import Any

from categories.errors import BrokenDeclaration, CategoryError
from categories.locations import find_location

WRONG_ARGUMENTS = (TypeError, ValueError, LookupError, AttributeError)
UNEXPECTED = re.compile(r"got an unexpected keyword argument '(\w+)'")


class Declared(type):
    """The class of what authors declare by a call: columns, settings, periodic jobs.

    It gives each of them the `location` of the call. Raises BrokenDeclaration for wrong arguments.
    """

    def __call__(cls, *arguments: Any, **options: Any) -> Any:
        """Make the object, with its location."""
        try:
            declared = super().__call__(*arguments, **options)
        except CategoryError:
            raise
        except WRONG_ARGUMENTS as error:
            problem = describe_arguments(cls, error)
            raise BrokenDeclaration(cls.__qualname__, [problem], *find_location()) from error
        object.__setattr__(declared, "location", find_location())  # some are frozen
        return declared


def describe_arguments(cls: type, error: Exception) -> str:
    """Return a sentence about arguments that the class does not take."""
    if unexpected := UNEXPECTED.search(str(error)):
        word = unexpected[1]
        return f"no argument is called {word}{did_you_mean(word, options_of(cls))}"
    sentence = str(error).rpartition("__init__() ")[2]
    if "'first'" in sentence:  # of Column
        return "the help is missing"
    is_plain = isinstance(error, TypeError | ValueError)
    return sentence if is_plain else f"{type(error).__name__}: {sentence}"


def options_of(cls: type) -> list[str]:
    """Return the names of the arguments of a class and its bases."""
    return [
        name
        for base in cls.__mro__
        if "__init__" in vars(base)
        for name in inspect.signature(vars(base)["__init__"]).parameters
        if base is not object
    ]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ": did you mean …?" with the known word nearest to a wrong one; "" if none is near."""
    near = get_close_matches(word, list(known), n=1)
    return f": did you mean {near[0]}?" if near else ""


def require_words(argument: str, words: object) -> None:
    """Raise TypeError unless it is a list of texts; one text would be read letter by letter."""
    if not isinstance(words, Collection) or isinstance(words, str | bytes):
        raise TypeError(f"{argument} must be a list of texts, but is {words!r}")
    if wrong := [word for word in words if not isinstance(word, str)]:
        raise TypeError(f"{argument} must be a list of texts, but has {wrong[0]!r}")
