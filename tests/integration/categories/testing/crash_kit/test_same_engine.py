"""Does a row fail in the crash kit with the same message as in a task?"""

from __future__ import annotations

import pytest

from categories.columns import TextColumn
from categories.contract import Context, Effects, Outcome, Row, RowAction, RowFailed
from categories.contract.rows import RowShape
from categories.running.attempts import Attempt
from categories.testing.crash_kit.fault_injection import FaultInjector
from categories.testing.crash_kit.trials import Trial, make_context

ERRORS = [
    ValueError("first\nsecond"),
    KeyError("name"),
    OSError("/etc/passwd"),
    RuntimeError("host 10.0.0.1"),
    RowFailed("no"),
    ValueError("x" * 5_000),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: repr(error)[:30])
def test_a_row_fails_with_the_same_words(error: Exception) -> None:
    class Fails(RowAction):
        name = "fails"
        description = doc = "Fails."
        effects = Effects.NONE
        columns = [TextColumn("name", "A name.", mandatory=True)]

        def process(self, row: Row, context: Context) -> Outcome | None:
            raise error

    context = make_context(None, None, None)
    rows = RowShape(Fails, ["name"]).parse_batch([["a"]], 1)

    in_a_task = Attempt(Fails(), context, 60).split(rows)
    in_the_kit = Trial(Fails, "name\na\n", context, injector=FaultInjector()).run()

    assert in_the_kit.failures == [str(outcome) for outcome in in_a_task]
