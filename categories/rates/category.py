"""The declaration of the category `rates`."""

from __future__ import annotations

from categories.contract import Category
from categories.rates.actions import Export, ImportRates


class Rates(Category):
    """Ratedecks: what calls cost."""

    name = "rates"
    version = "1"
    actions = [ImportRates, Export]
