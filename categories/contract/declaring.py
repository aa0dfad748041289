"""Completes and validates declarations, when a class is created and in the system checks."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from categories.columns import Column
from categories.contract import settings
from categories.contract.settings import Setting
from categories.errors import BrokenDeclaration, CellError
from categories.locations import Location, find_location

if TYPE_CHECKING:
    from categories.contract import Action, Category

NAME = re.compile(r"[a-z][a-z0-9_]*")
COLUMN_NAME = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z0-9_]+)*")
RESERVED_COLUMN = "error"  # the last column of every output
LIMITS = (
    *("rows_per_second", "account_rows_per_second", "row_seconds", "max_workers", "batch_size"),
    *("max_attempts", "retry_seconds", "concurrency"),
)
EFFECTS = ("NONE", "DATABASE", "EXTERNAL")
PERIODS = ("minute", "hour", "day")


def declare_action(action: type[Action]) -> None:
    """Fill in the defaults of the class; raise BrokenDeclaration if it is wrong."""
    action._declared_at = find_location()  # type: ignore[attr-defined]
    refuse(action, list(find_shadowing_columns(action)))
    action.columns = collect_columns(action)
    if action.abstract:
        return
    if "name" not in vars(action):
        action.name = snake_case(action.__name__)
    fill_in_docs(action)
    refuse(action, list(find_action_problems(action)))


def declare_category(category: type[Category]) -> None:
    """Fill in the defaults of the class; raise BrokenDeclaration if it is wrong."""
    category._declared_at = find_location()  # type: ignore[attr-defined]
    fill_in_docs(category)
    refuse(category, list(find_category_problems(category)))
    for action in category.actions:
        if "_category" not in vars(action):  # whose settings tests of the action use
            action._category = category  # type: ignore[attr-defined]
    settings.declared_variables |= {
        settings.variable_of(category.name, name) for name in category.settings
    }


def refuse(subject: type, problems: Sequence[tuple[str, Location | None]]) -> None:
    """Raise BrokenDeclaration with the line of the first problem, if there is any problem."""
    if problems:
        location = problems[0][1] or location_of(subject)
        sentences = [sentence for sentence, _ in problems]
        raise BrokenDeclaration(subject.__qualname__, sentences, *location)


def location_of(subject: type) -> Location:
    """Return where an action or category was declared."""
    location: Location = subject._declared_at  # type: ignore[attr-defined]
    return location


def collect_columns(action: type[Action]) -> tuple[Column[Any], ...]:
    """Return the inherited columns, then those of the class in order of declaration.

    `columns = [...]` in a class body adds its columns at that place. A column that is declared
    again takes the place of the inherited one.
    """
    collected: dict[str, Column[Any]] = {
        column.name: column for base in action.__bases__ for column in getattr(base, "columns", ())
    }
    for attribute, value in vars(action).items():
        for column in value if attribute == "columns" else [value]:
            if isinstance(column, Column):
                collected[column.name] = column
    return tuple(collected.values())


def snake_case(name: str) -> str:
    """Return `ListAll` as `list_all`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def fill_in_docs(subject: type[Action | Category]) -> None:
    """Take description and doc from the docstring, unless they are set."""
    docstring = inspect.cleandoc(vars(subject).get("__doc__") or "")
    first, _, rest = docstring.partition("\n")
    if "description" not in vars(subject):
        subject.description = first
    if "doc" not in vars(subject):
        subject.doc = rest.strip() or subject.description


# ---- Problems ------------------------------------------------------------------------------------

Problems = Iterator[tuple[str, Location | None]]


def find_action_problems(action: type[Action]) -> Problems:
    """Yield a sentence, and its line if known, for each problem of an action."""
    yield from find_text_problems(action)
    yield from find_columns_problems("column", action.columns)
    yield from find_columns_problems("output column", action.output)
    yield from ((sentence, None) for sentence in action.find_kind_problems())
    kind = getattr(action.effects, "name", None)
    if kind not in EFFECTS:
        yield f"effects must be one of Effects.{', Effects.'.join(EFFECTS)}", None
    elif action.idempotent and kind != "EXTERNAL":
        yield "idempotent is a word about EXTERNAL effects only", None
    for limit in LIMITS:
        value = getattr(action, limit)
        if value is not None and value <= 0:
            yield f"{limit} must be more than 0, but is {value}", None


def find_shadowing_columns(action: type[Action]) -> Problems:
    """Yield a problem for each column whose attribute shadows one of Action, such as `name`."""
    for attribute, value in vars(action).items():
        if isinstance(value, Column) and any(
            not isinstance(getattr(base, attribute, value), Column) for base in action.__bases__
        ):
            sentence = (
                f"{attribute!r} is a word of the contract: call the attribute {attribute}_"
                f' and say name="{attribute}"'
            )
            yield sentence, value.location


def find_text_problems(subject: type[Action | Category]) -> Problems:
    """Yield the problems of the name and the documentation."""
    if not NAME.fullmatch(subject.name):
        yield f"the name {subject.name!r} is not lower-case letters, digits and _", None
    if not subject.description.strip() or "\n" in subject.description:
        yield "the docstring is missing: its first line is the description", None


def find_columns_problems(kind: str, columns: Iterable[Any]) -> Problems:
    """Yield the problems of a list of columns."""
    good = []
    for column in columns:
        if isinstance(column, Column):
            good.append(column)
            yield from find_column_problems(kind, column)
        else:
            yield f"{column!r} is not a column", None
    for name, count in Counter(column.name for column in good).items():
        if count > 1:
            yield f"{kind} {name!r} is declared {count} times", None


def find_column_problems(kind: str, column: Column[Any]) -> Problems:
    """Yield the problems of one column."""
    is_open = kind == "column" and column.is_open
    if not COLUMN_NAME.fullmatch(column.name.removesuffix(".*") if is_open else column.name):
        yield f"{kind} {column.name!r}: the name is not lower-case", column.location
    if is_open and column.mandatory:
        yield f"{kind} {column.name!r}: an open column is never mandatory", column.location
    if column.name == RESERVED_COLUMN:
        yield f"{kind} {column.name!r}: every output ends with it already", column.location
    if not column.help.strip():
        yield f"{kind} {column.name!r}: the help is missing", column.location
    if column.example or column.mandatory:
        try:
            column.parse(column.example)
        except CellError as error:
            sentence = f"{kind} {column.name!r}: the example {column.example!r} is {error.why}"
            yield sentence, column.location


def find_category_problems(category: type[Category]) -> Problems:
    """Yield the problems of a category."""
    from categories.contract import Action

    yield from find_text_problems(category)
    if not category.version:
        yield "the version is missing", None
    yield from find_continues_problems(category)
    if not category.actions and not category.periodic:
        yield "it has no actions", None
    names: Counter[str] = Counter()
    for action in category.actions:
        if isinstance(action, type) and issubclass(action, Action) and not action.abstract:
            names[action.name] += 1
        else:
            yield f"{action!r} is not an action", None
    names.update(job.name for job in category.periodic)
    for name, count in names.items():
        if count > 1:
            yield f"{name!r} is the name of {count} actions or jobs", None
    for job in category.periodic:
        if job.every not in PERIODS:
            yield f"job {job.name!r} runs every {job.every!r}, not {' or '.join(PERIODS)}", None
    yield from find_settings_problems(category)


def find_settings_problems(category: type[Category]) -> Problems:
    """Yield the problems of the declared settings."""
    declared: Mapping[Any, Any] = category.settings
    for name, setting in declared.items():
        if not isinstance(setting, Setting):
            yield f"the setting {name!r} is not a Setting", None
            continue
        line = setting.column.location
        if not NAME.fullmatch(name):
            yield f"the setting {name!r} is not lower-case letters, digits and _", line
        if not setting.column.help.strip():
            yield f"setting {name!r}: the help is missing", line
        if setting.column.mandatory:
            yield f"setting {name!r} is mandatory if it has no default: leave mandatory out", line
        if not setting.has_good_default():
            rule = setting.column.rule
            yield f"setting {name!r}: the default {setting.default!r} is not {rule}", line


def find_continues_problems(category: type[Category]) -> Problems:
    """Yield the problems of the versions that a category goes on with."""
    versions = category.continues
    if not isinstance(versions, tuple) or not all(
        isinstance(version, str) and version for version in versions
    ):
        yield f'continues must be a tuple of versions, such as ("1",), but is {versions!r}', None
    elif category.version in versions:
        yield f"continues names older versions, not its own ({category.version!r})", None
