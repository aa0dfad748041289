"""The actions on rates, one per file."""

from categories.rates.actions.delete import Delete
from categories.rates.actions.export import Export
from categories.rates.actions.import_rates import ImportRates
from categories.rates.actions.rate import RateNumbers

__all__ = ["Delete", "Export", "ImportRates", "RateNumbers"]
