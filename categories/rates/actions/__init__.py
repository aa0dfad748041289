"""What can be done to rates? One action per file."""

from categories.rates.actions.export import Export
from categories.rates.actions.import_rates import ImportRates

__all__ = ["Export", "ImportRates"]
