"""The declaration of the category `services`."""

from __future__ import annotations

from categories.contract import Category, PeriodicJob
from categories.services.actions import DescendantQuantities
from categories.services.taking import take_due_quantities


class Services(Category):
    """Monthly quantities of accounts."""

    name = "services"
    version = "1"
    actions = [DescendantQuantities]
    periodic = [
        PeriodicJob(
            name="take_quantities",
            every="day",
            run=take_due_quantities,
            description="Takes all accounts' quantities at the end of a month, and missed ones.",
        )
    ]
