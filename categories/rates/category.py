"""The declaration of the category `rates`."""

from __future__ import annotations

from categories.contract import Category
from categories.rates.actions import Delete, Export, ImportRates, RateNumbers


class Rates(Category):
    """Ratedecks: what calls cost."""

    name = "rates"
    version = "2"
    continues = ("1",)
    actions = [ImportRates, Delete, Export, RateNumbers]
