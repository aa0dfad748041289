"""The reasons for which a row about a number fails; most are the texts of the original system."""

from __future__ import annotations

from categories.number_management.reconcilable import is_reconcilable

UNAUTHORIZED = "requestor is unauthorized to perform operation"
NO_CHANGE = "no change required"
INVALID_TRANSITION = "invalid state transition"
INVALID_ACCOUNT = "invalid account to assign to"

# what the actions declare in `errors`
OF_MISSING_NUMBERS = ("number {number} not found", "number {number} is not reconcilable")
OF_CREATION = (
    "number {number} is not reconcilable",
    "account {account_id} not found",
    UNAUTHORIZED,
    INVALID_ACCOUNT,
    "number {number} already exists",
    "number {number} is porting",
    INVALID_TRANSITION,
)


def not_reconcilable(number: str) -> str:
    """Return the reason for a number that can belong to no account."""
    return f"number {number} is not reconcilable"


def missing(number: str) -> str:
    """Return the reason for a number that is not in the system."""
    return f"number {number} not found" if is_reconcilable(number) else not_reconcilable(number)


def already_exists(number: str) -> str:
    """Return the reason for a number that cannot be created again."""
    return f"number {number} already exists"


def is_porting(number: str) -> str:
    """Return the reason for a number that is moving between operators."""
    return f"number {number} is porting"
