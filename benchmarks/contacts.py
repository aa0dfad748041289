"""Which action do the files of `samples` fit? One that takes the columns and does nothing."""

from __future__ import annotations

from categories.columns import TextColumn
from categories.contract import Category, Context, Effects, Outcome, Row, RowAction, Succeeded


class Look(RowAction):
    """Look at a contact."""

    id = TextColumn("Its number.", mandatory=True)
    name_ = TextColumn("Its name.", name="name", mandatory=True)
    email = TextColumn("Its address.", mandatory=True)
    amount = TextColumn("What it has paid.")
    date = TextColumn("When it came.")
    note = TextColumn("Anything.")
    effects = Effects.NONE

    def process(self, row: Row, context: Context) -> Outcome:
        """Do nothing."""
        return Succeeded()


class Contacts(Category):
    """Contacts, for benchmarks."""

    name = "contacts"
    version = "1"
    actions = [Look]
