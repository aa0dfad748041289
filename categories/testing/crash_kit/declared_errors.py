"""Do rows fail only with the errors that their action declares?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from categories.contract import Action, Succeeded
from categories.contract.rows import BAD_FIELDS
from categories.running.failures import Indeterminate, Stopping
from categories.testing.crash_kit.trials import Ran


def check_failures(action: type[Action], ran: Ran) -> None:
    """Raise AssertionError if a row failed with an error that is not in `action.errors`.

    An action without `errors` declares nothing. The rules of columns are declared by the columns.
    """
    for message in own_failures(ran) if action.errors else ():
        if not any(matches(error, message) for error in action.errors):
            raise AssertionError(
                f"{action.__name__} failed a row with {message!r}, which its `errors` do not have:"
                f" {', '.join(map(repr, action.errors))}."
            )


def own_failures(ran: Ran) -> Iterator[str]:
    """Yield the messages of the rows that the action itself failed."""
    for outcome in ran.outcomes:
        if isinstance(outcome, Succeeded | Indeterminate | Stopping):
            continue
        if not outcome.message.startswith(BAD_FIELDS):
            yield outcome.message


def matches(error: str, message: str) -> bool:
    """Say whether a message is the declared error, with any text for each word in braces."""
    texts = re.split(r"\{[^{}]*\}", error)
    return re.fullmatch(".*".join(map(re.escape, texts)), message, re.DOTALL) is not None
