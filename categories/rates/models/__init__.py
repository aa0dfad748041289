"""What is stored about rates? One model per file."""

from categories.rates.models.rate import Direction, Rate
from categories.rates.models.ratedeck import Ratedeck

__all__ = ["Direction", "Rate", "Ratedeck"]
