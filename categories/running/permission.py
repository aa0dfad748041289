"""Asks an action whether its task may run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from categories.contract import Action, Context


def ask(action: Action, context: Context) -> None:
    """Raise Refused if the task may not run.

    An author who returns False means a refusal, too. Nobody would notice that it refuses nothing,
    so it raises TypeError.
    """
    permitted: Callable[[Context], Any] = action.permitted
    if permitted(context) is False:
        raise TypeError("permitted returned False, which refuses nothing: raise Refused(reason)")
