"""What do installations of tests call? Actions that send several rows at a time to a provider."""

from __future__ import annotations

import os
import time

import requests

from categories.columns import TextColumn
from categories.contract import (
    Category,
    CircuitBreaker,
    Context,
    Effects,
    RetryLater,
    Row,
    RowAction,
    RowFailed,
    Succeeded,
)

PROVIDER = "OUTSIDE_PROVIDER"  # the variable with the URL that is called


class Once(RowAction):
    """Call the provider, eight rows at a time.

    A row is sent at most once.
    """

    word = TextColumn("What to send.", mandatory=True)
    output = [TextColumn("key", "The effect key that was sent.")]
    effects = Effects.EXTERNAL
    ordered = False
    concurrency = 8
    row_seconds = 2.0
    circuit_breaker = CircuitBreaker(min_calls=8, pause_seconds=1)

    def process(self, row: Row, context: Context) -> Succeeded:
        """Send the effect key; `hang` never ends, `no` is refused."""
        if row.word == "hang":
            time.sleep(3_600)
        if row.word == "no":
            raise RowFailed("the provider says no")
        answer = requests.post(os.environ[PROVIDER], data=context.effect_key, timeout=1.5)
        if "Retry-After" in answer.headers:
            raise RetryLater(float(answer.headers["Retry-After"]))
        answer.raise_for_status()
        return Succeeded(key=answer.json()["key"])


class Again(Once):
    """Call the provider, eight rows at a time.

    A row is sent again if no answer comes.
    """

    idempotent = True


class Outside(Category):
    """Calls to a provider.

    For tests.
    """

    name = "outside"
    version = "1"
    actions = [Once, Again]
