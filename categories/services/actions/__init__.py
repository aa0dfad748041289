"""What can be asked of services? One action per file."""

from categories.services.actions.descendant_quantities import DescendantQuantities

__all__ = ["DescendantQuantities"]
