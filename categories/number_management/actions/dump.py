"""The action `dump`, which lists the numbers of the system, and `dump_{state}` for each state."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import Func, TextField
from django.db.models.lookups import Exact

from categories.contract import Action, Context
from categories.number_management.access import require_superadmin
from categories.number_management.actions.listing import Listing
from categories.number_management.models import PhoneNumber, PhoneNumberQuerySet
from categories.number_management.states import NumberState


class Dump(Listing):
    """List all numbers of the system, for the super-duper admin only."""

    order = ("number",)

    def permitted(self, context: Context) -> None:
        """Refuse all but the super-duper admin."""
        require_superadmin(context)

    def select(self, context: Context) -> PhoneNumberQuerySet:
        """Return all numbers."""
        return PhoneNumber.objects.all()


class DumpState(Dump, abstract=True):
    """List the numbers of the system that are in one state."""

    state: ClassVar[NumberState]

    def select(self, context: Context) -> PhoneNumberQuerySet:
        """Return the numbers in the state."""
        return super().select(context).filter(Exact(UnindexedOnSQLite("state"), self.state))


class UnindexedOnSQLite(Func):
    """A field for which SQLite uses no index; it would sort all numbers of a state for a page."""

    template = "%(expressions)s"
    output_field = TextField()

    def as_sqlite(self, compiler: Any, connection: Any, **options: Any) -> Any:
        """Write the unary + that SQLite's manual gives for this."""
        return self.as_sql(compiler, connection, template="+%(expressions)s", **options)


def make_dump(state: NumberState) -> type[Action]:
    """Return the action that lists the numbers in a state."""
    docstring = f"List all numbers in state {state}, for the super-duper admin only."
    members = {"__doc__": docstring, "__module__": __name__, "name": f"dump_{state}"}
    return type(f"Dump_{state}", (DumpState,), {**members, "state": state})


DUMPS: tuple[type[Action], ...] = (Dump, *map(make_dump, NumberState))
