"""The stored rates and ratedecks, one model per file."""

from categories.rates.models.rate import Direction, Rate
from categories.rates.models.ratedeck import Ratedeck

__all__ = ["Direction", "Rate", "Ratedeck"]
