"""The actions on rates, one per file."""

from categories.rates.actions.export import Export
from categories.rates.actions.import_rates import ImportRates

__all__ = ["Export", "ImportRates"]
