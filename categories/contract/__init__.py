"""The contract for plugins: categories, actions, rows and outcomes. Authors import from here."""

from categories.contract.actions import (
    Action,
    Category,
    Context,
    Effects,
    PageAction,
    PeriodicJob,
    RowAction,
    fits,
)
from categories.contract.circuit_breaker import CircuitBreaker
from categories.contract.outcomes import (
    JSON,
    Cells,
    Outcome,
    Page,
    Refused,
    RetryLater,
    RowFailed,
    StopTask,
    Succeeded,
)
from categories.contract.rows import Row
from categories.contract.settings import Setting, Settings

__all__ = [
    "JSON",
    "Action",
    "Category",
    "Cells",
    "CircuitBreaker",
    "Context",
    "Effects",
    "Outcome",
    "Page",
    "PageAction",
    "PeriodicJob",
    "Refused",
    "RetryLater",
    "Row",
    "RowAction",
    "RowFailed",
    "Setting",
    "Settings",
    "StopTask",
    "Succeeded",
    "fits",
]
