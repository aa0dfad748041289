"""The reasons for which a row about a number fails; most are the texts of the original system."""

from __future__ import annotations

from categories.number_management.reconcilable import is_reconcilable

UNAUTHORIZED = "requestor is unauthorized to perform operation"
NO_CHANGE = "no change required"
INVALID_TRANSITION = "invalid state transition"
INVALID_ACCOUNT = "invalid account to assign to"
NO_ACCOUNT = "account {account_id} not found"
NOT_FOUND = "number {number} not found"
NOT_RECONCILABLE = "number {number} is not reconcilable"  # it can belong to no account
ALREADY_EXISTS = "number {number} already exists"
IS_PORTING = "number {number} is porting"  # it moves between operators
HAS_ITS_OWN = "bad field(s) {column}: {field} has columns of its own"
IN_THE_WAY = "bad field(s) {column}: it lies within another, or another within it"

MISSING = (NOT_FOUND, NOT_RECONCILABLE)
CREATING = (
    NOT_RECONCILABLE, NO_ACCOUNT, UNAUTHORIZED, IS_PORTING, ALREADY_EXISTS, INVALID_TRANSITION,
)  # fmt: skip
ASSIGNING = (*MISSING, INVALID_ACCOUNT, UNAUTHORIZED, INVALID_TRANSITION)


def describe_missing(number: str) -> str:
    """Return the reason for a number that is not in the system."""
    reason = NOT_FOUND if is_reconcilable(number) else NOT_RECONCILABLE
    return reason.format(number=number)
