"""Reads the effects of a run: tables, and other objects that a test watches."""

from __future__ import annotations

import copy
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

from django.apps import apps
from django.db import models

from categories.contract import Action, Context

PLAIN = (bool, int, float, str, bytes, Decimal, date, time, timedelta, tuple, frozenset, type(None))
CONTAINERS = (list, dict, set, deque, bytearray)
Content = Mapping[str, Any]


def models_of(action: type[Action]) -> list[type[models.Model]]:
    """Return the models of the action's Django app; none if it belongs to no app."""
    app = apps.get_containing_app_config(action.__module__)
    return list(app.get_models()) if app else []


def read_tables(
    tables: Sequence[type[models.Model]], ignoring: Sequence[str], context: Context
) -> dict[str, list[str]]:
    """Return the sorted rows of tables, without ids that the database chose.

    Such ids differ between runs, because a rollback does not return them. A reference to one is
    shown as the content of the row that it refers to.
    """
    found: dict[str, list[str]] = {}
    for model in tables:
        fields = [field for field in comparable_fields(model) if field.name not in ignoring]
        meant = {
            field.attname: read_meanings(field.related_model, context)
            for field in fields
            if refers_to_chosen_id(field)
        }
        rows: Any = model._default_manager.using(context.database)
        found[f"the table of {model.__name__}"] = sorted(
            ", ".join(
                f"{name}={meant[name].get(value) if name in meant else repr(value)}"
                for name, value in row.items()
            )
            for row in rows.values(*[field.attname for field in fields])
        )
    return found


def comparable_fields(model: type[models.Model]) -> list[Any]:
    """Return the fields of a table except ids that the database chose."""
    fields = model._meta.concrete_fields
    return [field for field in fields if not isinstance(field, models.AutoField)]


def refers_to_chosen_id(field: Any) -> bool:
    """Say whether a field holds ids that the database chose in another table."""
    is_reference = isinstance(field, models.ForeignKey)
    return is_reference and isinstance(field.target_field, models.AutoField)


def read_meanings(model: type[models.Model], context: Context) -> dict[Any, str]:
    """Return the content of a table's rows, without chosen ids, by id."""
    names = [field.attname for field in comparable_fields(model) if not refers_to_chosen_id(field)]
    rows: Any = model._default_manager.using(context.database).values_list("pk", *names)
    return {
        row[0]: f"({', '.join(f'{n}={v!r}' for n, v in zip(names, row[1:], strict=True))})"
        for row in rows
    }


class Watched:
    """Objects outside the database, with their initial and current contents.

    An object is a list, dict or set; an object, class or module, with the plain values of its
    attributes; or a `Path`, with its files.
    """

    def __init__(self, things: Sequence[Any]) -> None:
        self.things = things
        self.at_first = [copy.deepcopy(dict(read(thing))) for thing in things]

    def restore(self) -> None:
        """Restore the initial contents."""
        for thing, content in zip(self.things, self.at_first, strict=True):
            write(thing, copy.deepcopy(content))

    def contents(self) -> dict[str, list[str]]:
        """Return the current contents, as texts by name."""
        found = {}
        for place, thing in enumerate(self.things, 1):
            content = read(thing)
            name = f"watched thing {place}, {name_of(thing)},"
            found[name] = sorted(f"{key}={show(value)}" for key, value in content.items())
        return found


def name_of(thing: Any) -> str:
    """Return the name of a thing in messages."""
    if isinstance(thing, Path):
        return str(thing)
    return getattr(thing, "__name__", None) or f"a {type(thing).__name__}"


def show(value: Any) -> str:
    """Return a value as text; equal sets give equal texts."""
    if isinstance(value, set | frozenset):
        return f"{{{', '.join(sorted(map(repr, value)))}}}"
    return repr(value)


def read(thing: Any) -> Content:
    """Return the contents of a thing by name; raise ValueError if it has none."""
    if isinstance(thing, Path):
        return {str(path): path.read_bytes() for path in files_in(thing)}
    if isinstance(thing, CONTAINERS):
        return {"content": thing}
    if not isinstance(thing, ModuleType | type) and not hasattr(thing, "__dict__"):
        raise ValueError(f"{thing!r} holds nothing that could be watched.")
    return {
        name: value
        for name, value in vars(thing).items()
        if isinstance(value, PLAIN + CONTAINERS) and not name.startswith("__")
    }


def files_in(path: Path) -> Iterator[Path]:
    """Yield the file, or the files in the folder; none if the path does not exist."""
    if path.is_file():
        yield path
    elif path.is_dir():
        yield from sorted(found for found in path.rglob("*") if found.is_file())


def write(thing: Any, content: Mapping[str, Any]) -> None:
    """Restore the contents of a thing; containers stay the same objects."""
    if isinstance(thing, Path):
        for path in set(map(str, files_in(thing))) - content.keys():
            Path(path).unlink()
        for name, text in content.items():
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_bytes(text)
    elif isinstance(thing, CONTAINERS):
        refill(thing, content["content"])
    else:
        for name in read(thing).keys() - content.keys():
            delattr(thing, name)
        for name, value in content.items():
            now = vars(thing).get(name)
            if isinstance(now, CONTAINERS) and type(now) is type(value):
                refill(now, value)
            elif not isinstance(vars(thing), MappingProxyType) or now != value:
                setattr(thing, name, value)


def refill(container: Any, content: Any) -> None:
    """Replace the contents of a container."""
    container.clear()
    if isinstance(container, dict | set):
        container.update(content)
    else:
        container.extend(content)


def describe_difference(name: str, expected: Sequence[str], found: Sequence[str]) -> str:
    """Return a sentence with the surplus and the missing texts."""
    more = list((Counter(found) - Counter(expected)).elements())
    less = list((Counter(expected) - Counter(found)).elements())
    parts = []
    if more:
        parts.append(f"has {first_few(more)}, which an undisturbed run does not leave")
    if less:
        parts.append(f"lacks {first_few(less)}")
    return f"{name} {', and '.join(parts)}"


def first_few(texts: Sequence[str]) -> str:
    """Return at most three texts, and how many others there are."""
    shown = " and ".join(f"({text})" for text in texts[:3])
    return shown if len(texts) <= 3 else f"{shown} and {len(texts) - 3} more"
