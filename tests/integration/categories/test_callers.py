"""Tests the threads that send several external rows at a time."""

from typing import Any

import pytest

from categories.columns import TextColumn
from categories.contract import Context, Effects, Row, RowAction
from categories.contract.rows import RowShape
from categories.running.callers import Call, Callers, are_stuck
from categories.running.failures import Unanswered

pytestmark = pytest.mark.django_db

ERRORS = {"exit": SystemExit, "stop": KeyboardInterrupt, "end": GeneratorExit}


class Leave(RowAction):
    """Raise what ends a thread."""

    word = TextColumn("Which.", mandatory=True)
    effects = Effects.EXTERNAL
    ordered = False
    concurrency = 4
    row_seconds = 60

    def process(self, row: Row, context: Context) -> None:
        if row.word in ERRORS:
            raise ERRORS[row.word]


def test_a_row_that_ends_its_thread_has_no_answer_at_once() -> None:
    words = ["good", *ERRORS]
    rows: list[Any] = RowShape(Leave, ["word"]).parse_batch([[word] for word in words], 1)
    callers = Callers(Leave, Context(account_id="a", auth_account_id="a", task_id="t"))

    outcomes = callers.call([Call(row, place, "key", 0.0) for place, row in enumerate(rows)])
    callers.close()

    reasons = [outcome.why for outcome in outcomes if isinstance(outcome, Unanswered)]
    assert [reason.partition(":")[0] for reason in reasons] == [
        error.__name__ for error in ERRORS.values()
    ]
    assert not are_stuck()
