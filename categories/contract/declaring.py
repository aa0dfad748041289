"""Completes and validates declarations, when a class is created and in the system checks."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from categories.columns import Column
from categories.columns.arguments import did_you_mean
from categories.contract import settings, words
from categories.contract.methods import find_wrong_call, find_wrong_methods
from categories.contract.words import Problems
from categories.errors import BrokenDeclaration, CellError
from categories.locations import Location, find_location

if TYPE_CHECKING:
    from categories.contract import Action, Category, PeriodicJob

NAME = re.compile(r"[a-z][a-z0-9_]*")
COLUMN_NAME = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z0-9_]+)*")
RESERVED_COLUMN = "error"  # the last column of every output
PERIODS = ("minute", "hour", "day")


def begin(subject: type, options: Mapping[str, Any]) -> None:
    """Note where the class is declared, before anything is set on it; refuse wrong arguments.

    `options` are arguments in the line of the class, such as `abstract=True`, that the contract
    does not take. A base class of the author's own may take them.
    """
    subject._declared_at = find_location()  # type: ignore[attr-defined]
    own = words.authors_classes(subject)
    problems = [
        f"no argument of a class is called {name!r}{did_you_mean(name, ['abstract'])}"
        for name in options
        if not any("__init_subclass__" in vars(base) for base in own)
    ]
    body = vars(subject) if subject in own else {}
    if "abstract" in body:
        problems.append("abstract is an argument: class Lookup(RowAction, abstract=True)")
    if "takes_input" in body:
        problems.append("takes_input is set by RowAction and PageAction")
    refuse(subject, [(problem, None) for problem in problems])


def declare_action(action: type[Action]) -> None:
    """Fill in the defaults of the class; raise BrokenDeclaration if it is wrong."""
    refuse(action, list(find_shadowing_columns(action)))
    refuse(action, list(find_wrong_in_action(action)))
    action.columns = collect_columns(action)
    if action.abstract:
        return
    if "name" not in vars(action):
        action.name = snake_case(action.__name__)
    fill_in_docs(action)
    refuse(action, list(find_action_problems(action)))


def declare_category(category: type[Category]) -> None:
    """Fill in the defaults of the class; raise BrokenDeclaration if it is wrong."""
    refuse(category, list(find_wrong_in_category(category)))
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


def find_wrong_in_action(action: type[Action]) -> Problems:
    """Yield the problems of each attribute and method, whatever they mean together."""
    yield from words.find_unknown(action, is_abstract=action.abstract)
    yield from words.find_wrong_types(action, words.ACTION)
    yield from find_wrong_methods(action)


def find_wrong_in_category(category: type[Category]) -> Problems:
    """Yield the problems of each attribute and method, whatever they mean together."""
    yield from words.find_unknown(category)
    yield from words.find_wrong_types(category, words.CATEGORY)


def find_action_problems(action: type[Action]) -> Problems:
    """Yield a sentence, and its line if known, for each problem of an action."""
    if wrong := list(find_wrong_in_action(action)):
        yield from wrong
        return  # what follows reads the attributes
    yield from find_text_problems(action)
    yield from find_columns_problems("column", action.columns)
    yield from find_columns_problems("output column", action.output)
    yield from ((sentence, None) for sentence in action.find_kind_problems())
    yield from words.find_misplaced(action)


def find_shadowing_columns(action: type[Action]) -> Problems:
    """Yield a problem for each column whose attribute shadows one of Action, such as `name`."""
    for attribute, value in vars(action).items():
        if attribute in {"columns", "output"}:
            continue  # a list of columns is expected there
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
    if not subject.name:
        yield "the name is missing", None
    elif not NAME.fullmatch(subject.name):
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
    yield from find_clashes(good)


def find_clashes(columns: Iterable[Column[Any]]) -> Problems:
    """Yield a problem for two columns that would be the same attribute of a row."""
    found: dict[str, Column[Any]] = {}
    for column in columns:
        for word in {column.attribute, column.name.replace(".", "_")}:
            other = found.setdefault(word, column)
            if other.name != column.name:
                clash = f"columns {other.name!r} and {column.name!r} are both row.{word}"
                yield clash, column.location


def find_column_problems(kind: str, column: Column[Any]) -> Problems:
    """Yield the problems of one column."""
    what = f"{kind} {column.name!r}: "
    if wrong := list(words.find_wrong_types(column, words.COLUMN, what, column.location)):
        yield from wrong
        return
    is_open = kind == "column" and column.is_open
    if not column.name:
        written = f'{type(column).__name__}("name", "{column.help}")'
        yield f"the {kind} has no name: write {written}", column.location
    elif not COLUMN_NAME.fullmatch(column.name.removesuffix(".*") if is_open else column.name):
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
            yield f"{what}the example {column.example!r} is {error.why}", column.location
        except Exception as error:  # noqa: BLE001 - a column type of the author's may raise anything
            kind_of_error = f"{type(error).__name__}: {error}"
            yield f"{what}the example {column.example!r} raises {kind_of_error}", column.location


def find_category_problems(category: type[Category]) -> Problems:
    """Yield the problems of a category."""
    from categories.contract import Action, PeriodicJob

    if wrong := list(find_wrong_in_category(category)):
        yield from wrong
        return
    yield from find_text_problems(category)
    if not category.version.strip():
        yield "the version is missing", None
    if category.version in category.continues:
        yield f"continues names older versions, not its own ({category.version!r})", None
    if not category.actions and not category.periodic:
        yield "it has no actions", None
    names: Counter[str] = Counter()
    actions: Iterable[Any] = category.actions
    jobs: Iterable[Any] = category.periodic
    for action in actions:
        if isinstance(action, type) and issubclass(action, Action) and not action.abstract:
            names[action.name] += 1
        else:
            yield f"{action!r} is not an action", None
    for job in jobs:
        if isinstance(job, PeriodicJob):
            names[job.name] += 1
            yield from find_job_problems(job)
        else:
            yield f"{job!r} is not a PeriodicJob", None
    for name, count in names.items():
        if count > 1:
            yield f"{name!r} is the name of {count} actions or jobs", None
    yield from settings.find_wrong(category.settings)


def find_job_problems(job: PeriodicJob) -> Problems:
    """Yield the problems of a periodic job."""
    what, line = f"job {job.name!r}: ", job.location
    if wrong := list(words.find_wrong_types(job, words.JOB, what, line)):
        yield from wrong
        return
    if not job.name.strip() or not job.description.strip():
        yield f"{what}name and description must not be empty", line
    if job.every not in PERIODS:
        yield f"job {job.name!r} runs every {job.every!r}, not {' or '.join(PERIODS)}", line
    for sentence, place in find_wrong_call("run", job.run, "run(due_at)", 1, of=0):
        yield what + sentence, place or line
