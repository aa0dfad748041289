"""Queries whose SQL is compiled only once, because they are sent often (ADR 16)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from django.db import connection
from django.db.models import (
    BigIntegerField,
    BooleanField,
    DurationField,
    Expression,
    Field,
    JSONField,
    Model,
    QuerySet,
    TextField,
)
from django.db.models.sql import Query, UpdateQuery
from django.db.models.sql.compiler import SQLCompiler
from django.db.models.sql.constants import ROW_COUNT

from piston.relied_on import rely_on

M = TypeVar("M", bound=Model)

rely_on(
    __name__,
    SQLCompiler,
    as_sql="self, with_limits=True, with_col_aliases=False",
    execute_sql="self, result_type='multi', chunked_fetch=False, chunk_size=100",
)
rely_on(
    __name__,
    Query,
    get_compiler="self, using=None, connection=None, elide_empty=True",
    chain="self, klass=None",
)
rely_on(__name__, UpdateQuery, add_update_values="self, values")


class Slot(Expression):
    """A placeholder in a query, which each call fills with its own value."""

    def __init__(self, name: str, output_field: Field[Any, Any]) -> None:
        super().__init__(output_field=output_field)
        self.name = name

    @classmethod
    def text(cls, name: str) -> Slot:
        """Return a slot for a text."""
        return cls(name, TextField())

    @classmethod
    def number(cls, name: str) -> Slot:
        """Return a slot for a whole number of up to 64 bits."""
        return cls(name, BigIntegerField())

    @classmethod
    def boolean(cls, name: str) -> Slot:
        """Return a slot for True or False."""
        return cls(name, BooleanField())

    @classmethod
    def duration(cls, name: str) -> Slot:
        """Return a slot for a timedelta."""
        return cls(name, DurationField())

    @classmethod
    def json(cls, name: str) -> Slot:
        """Return a slot for a value that can be written as JSON; None is NULL."""
        return cls(name, JSONField())

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        """Return a placeholder, with this slot as its parameter, which `Compiled.fill` replaces."""
        return "%s", (self,)


@dataclass(frozen=True)
class Compiled:
    """A query's SQL for one kind of database, with slots among its parameters."""

    compiler: SQLCompiler
    sql: str
    parameters: tuple[Any, ...]

    def fill(self, values: Mapping[str, Any]) -> SQLCompiler:
        """Return a compiler that only has to send the SQL with these values."""
        parameters = tuple(
            each.output_field.get_db_prep_save(values[each.name], connection)
            if isinstance(each, Slot)
            else each
            for each in self.parameters
        )
        filled = copy(self.compiler)  # its connection is `django.db.connection`: each thread's own
        filled.as_sql = lambda *_, **__: (self.sql, parameters)  # type: ignore[method-assign]
        return filled


class CompiledSelect(Generic[M]):
    """A queryset with slots. `make` returns it, and is called at the first use."""

    def __init__(self, make: Callable[[], QuerySet[M]]) -> None:
        self._make = make
        self._kept: dict[str, tuple[QuerySet[M], Compiled]] = {}

    def fetch(self, **values: Any) -> list[M]:
        """Return what the queryset selects, with a value for every slot."""
        if connection.vendor not in self._kept:
            queryset = self._make()
            compiler = queryset.query.get_compiler(connection=connection)
            self._kept[connection.vendor] = queryset, Compiled(compiler, *compiler.as_sql())
        queryset, compiled = self._kept[connection.vendor]
        filled = compiled.fill(values)
        selection = queryset.all()
        selection.query.get_compiler = lambda *_, **__: filled  # type: ignore[method-assign]
        return list(selection)


class CompiledUpdate:
    """An UPDATE with slots of the rows that a queryset selects, compiled at the first use."""

    def __init__(self, make: Callable[[], QuerySet[Any]], **changes: Any) -> None:
        self._make = make
        self._changes = changes
        self._kept: dict[str, Compiled] = {}

    def run(self, **values: Any) -> int:
        """Change the rows, with a value for every slot; return how many matched."""
        if connection.vendor not in self._kept:
            query = cast("UpdateQuery", self._make().query.chain(UpdateQuery))
            query.add_update_values(self._changes)
            compiler = query.get_compiler(connection=connection)
            self._kept[connection.vendor] = Compiled(compiler, *compiler.as_sql())
        filled = self._kept[connection.vendor].fill(values)
        return cast("int", filled.execute_sql(ROW_COUNT))  # type: ignore[call-overload]
