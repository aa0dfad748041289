"""The words of the contract: what plugins may declare, of which type, and where it says anything.

A word more is a row more in these tables.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from django.conf import settings

from categories.columns import Column
from categories.columns.arguments import did_you_mean
from categories.contract.circuit_breaker import CircuitBreaker
from categories.contract.methods import find_line
from categories.locations import Location

if TYPE_CHECKING:
    from categories.contract import Action

Problems = Iterator[tuple[str, Location | None]]
# ("a whole number", does it fit?): the end of the sentence "batch_size must be …"
Rule = tuple[str, Callable[[Any], bool]]

NEAR = 0.84  # as similar as `proces` and `process`; `order` and `ordered` are less so
MAX_NUMBER = 2**31 - 1  # of the database's columns
MAX_CONCURRENCY = 100  # threads of a process
SECONDS_LEFT = 30  # of a message, for what surrounds its last row


def is_whole(value: Any) -> bool:
    """Say whether it is a whole number; True and False are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Say whether it is a finite number; True and False are none."""
    return is_whole(value) or (isinstance(value, float) and math.isfinite(value))


def is_text(value: Any) -> bool:
    """Say whether it is text."""
    return isinstance(value, str)


def is_sequence(value: Any) -> bool:
    """Say whether it is a list or a tuple, which can be read more than once."""
    return isinstance(value, list | tuple)


TEXT: list[Rule] = [("text", is_text)]


def text(most: int) -> list[Rule]:
    """Return the rules of a text of at most so many characters."""
    return [*TEXT, (f"at most {most} characters", lambda value: len(value) <= most)]


def sequence(of: str) -> list[Rule]:
    """Return the rules of a list."""
    return [(f"a list of {of}", is_sequence)]


def at_most(most: int) -> list[Rule]:
    """Return the rules of the size of a number."""
    return [
        ("more than 0", lambda value: value > 0),
        (f"at most {most:,}", lambda value: value <= most),
    ]


def optional(rules: list[Rule]) -> list[Rule]:
    """Return the same rules for a value that may also be None."""

    def or_none(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
        return lambda value: value is None or fits(value)

    return [(rule, or_none(fits)) for rule, fits in rules]


FLAG: list[Rule] = [("True or False", lambda value: isinstance(value, bool))]
COUNT: list[Rule] = [("a whole number", is_whole), *at_most(MAX_NUMBER)]
NUMBER: list[Rule] = [("a number", is_number), *at_most(MAX_NUMBER)]
EFFECTS = ("NONE", "DATABASE", "EXTERNAL")
IS_EFFECTS: Rule = (
    f"one of Effects.{', Effects.'.join(EFFECTS)}",
    lambda value: getattr(value, "name", None) in EFFECTS,
)

IS_VERSIONS: Rule = (
    'a tuple of versions, such as ("1",)',
    lambda value: isinstance(value, tuple) and all(map(is_text, value)) and all(value),
)
IS_BREAKER: Rule = (
    "a CircuitBreaker, or None",
    lambda value: value is None or isinstance(value, CircuitBreaker),
)
IS_SENTENCES: Rule = (
    "a list of texts",
    lambda value: is_sequence(value) and all(map(is_text, value)),
)

ACTION: Mapping[str, list[Rule]] = {
    "name": text(100),
    "description": TEXT,
    "doc": TEXT,
    "columns": sequence("columns"),
    "output": sequence("columns"),
    "errors": [IS_SENTENCES],
    "replaces_header": FLAG,
    "effects": [IS_EFFECTS],
    "idempotent": FLAG,
    "max_attempts": COUNT,
    "retry_seconds": NUMBER,
    "ordered": FLAG,
    "rows_per_second": optional(NUMBER),
    "account_rows_per_second": optional(NUMBER),
    "concurrency": [("a whole number", is_whole), *at_most(MAX_CONCURRENCY)],
    "circuit_breaker": [IS_BREAKER],
    "row_seconds": [
        ("a number", is_number),
        *at_most(settings.CELERY_TASK_TIME_LIMIT - SECONDS_LEFT),
    ],
    "max_workers": optional(COUNT),
    "batch_size": COUNT,
}
CATEGORY: Mapping[str, list[Rule]] = {
    "name": text(100),
    "version": text(50),
    "continues": [IS_VERSIONS],
    "description": TEXT,
    "doc": TEXT,
    "actions": sequence("action classes"),
    "periodic": sequence("PeriodicJob"),
    "settings": [("a dict of Setting", lambda value: isinstance(value, Mapping))],
}
JOB: Mapping[str, list[Rule]] = {
    "name": text(100),
    "description": TEXT,
    "run": [("a function", callable)],
}
COLUMN: Mapping[str, list[Rule]] = {
    "name": TEXT,
    "help": TEXT,
    "mandatory": FLAG,
    "example": TEXT,
}

# What a word is about: elsewhere it would say nothing, and its author expects that it does
WITH_INPUT = ("actions with input", lambda action: action.takes_input)
WITHOUT_INPUT = ("actions without input", lambda action: not action.takes_input)
IS_EXTERNAL = ("EXTERNAL effects", lambda action: action.effects.name == "EXTERNAL")
IS_IDEMPOTENT = ("idempotent actions", lambda action: action.idempotent)
ABOUT: Mapping[str, tuple[str, Callable[[type[Action]], bool]]] = {
    "process": WITH_INPUT,
    "process_batch": WITH_INPUT,
    "batch_size": WITH_INPUT,
    "ordered": WITH_INPUT,
    "max_workers": WITH_INPUT,
    "rows_per_second": WITH_INPUT,
    "account_rows_per_second": WITH_INPUT,
    "replaces_header": WITH_INPUT,
    "page": WITHOUT_INPUT,
    "total": WITHOUT_INPUT,
    "idempotent": IS_EXTERNAL,
    "retry_seconds": IS_EXTERNAL,
    "concurrency": IS_EXTERNAL,
    "circuit_breaker": IS_EXTERNAL,
    "max_attempts": IS_IDEMPOTENT,
}


# ---- What is wrong -------------------------------------------------------------------------------


def find_wrong_types(
    subject: Any, words: Mapping[str, list[Rule]], what: str = "", line: Location | None = None
) -> Problems:
    """Yield a problem for each word whose value breaks a rule; the first one that it breaks."""
    for word, rules in words.items():
        value = getattr(subject, word)
        broken = next((rule for rule, fits in rules if not fits(value)), None)
        if broken is not None:
            hint = ": put it in [ ]" if isinstance(value, Column) else ""
            yield f"{what}{word} must be {broken}, but is {value!r}{hint}", line


def find_misplaced(action: type[Action]) -> Problems:
    """Yield a problem for each declared word that says nothing about this kind of action."""
    for word, (about, fits) in ABOUT.items():
        is_declared = any(word in vars(base) for base in authors_classes(action))
        if is_declared and getattr(action, word) is not False and not fits(action):
            yield f"{word} is a word about {about} only", None


def find_unknown(subject: type, *, is_abstract: bool = False) -> Problems:
    """Yield a problem for each public name that looks like a word but is none.

    Also for each attribute that nothing reads: it may be meant as a word. Other methods and
    attributes are the author's own. What an abstract class has may be read by those below it.
    """
    owners = authors_classes(subject)
    known = {word for base in contract_classes(subject) for word in vars(base) if word[0] != "_"}
    read = names_in_code(owners)
    annotated = {name for owner in owners for name in inspect.get_annotations(owner)}
    for name, value in {name: it for owner in owners for name, it in vars(owner).items()}.items():
        if isinstance(value, type) and issubclass(value, Column) and name not in vars(Column):
            yield f"{name} is a type of column: call it, {value.__name__}(…)", None
            continue
        is_own = name in read or name.startswith("_") or name.isupper()
        if is_own or name in known or isinstance(value, Column):
            continue
        is_value = not callable(value) and not hasattr(value, "__get__")
        if get_close_matches(name.lower(), known, n=1, cutoff=NEAR):
            yield (
                f"{name!r} is no word of the contract{did_you_mean(name, known)}",
                find_line(value),
            )
        elif is_value and name not in annotated and not is_abstract:
            yield f"{name!r} is no word of the contract, and nothing reads it", None


def names_in_code(owners: Iterable[type]) -> set[str]:
    """Return the names that the methods of these classes mention."""
    names: set[str] = set()
    codes = [
        inspect.unwrap(function).__code__
        for owner in owners
        for value in vars(owner).values()
        for function in (value, *(getattr(value, part, None) for part in PARTS))
        if inspect.isfunction(function)
    ]
    while codes:
        code = codes.pop()
        names.update(code.co_names)
        names.update(filter(is_text, code.co_consts))  # getattr(self, "name")
        codes += [constant for constant in code.co_consts if inspect.iscode(constant)]
    return names


def authors_classes(subject: type) -> list[type]:
    """Return the class and those of its bases that are not the contract's."""
    return [base for base in subject.__mro__ if base.__module__ not in OTHERS]


def contract_classes(subject: type) -> list[type]:
    """Return the bases that the contract defines."""
    return [base for base in subject.__mro__ if base.__module__ == CONTRACT]


PARTS = ("__func__", "fget", "fset", "func")  # the functions in properties and the like
CONTRACT = "categories.contract.actions"
OTHERS = {CONTRACT, "builtins", "abc", "typing"}
