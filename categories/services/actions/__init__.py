"""The actions of services, one per file."""

from categories.services.actions.descendant_quantities import DescendantQuantities

__all__ = ["DescendantQuantities"]
