"""Does the crash kit kill the worker of an action that sends several rows at a time everywhere?"""

from __future__ import annotations

import re
from typing import Any

import pytest

from categories.contract import Context, Effects, Outcome, RetryLater, Row, RowFailed, Succeeded
from categories.testing import Calls, assert_survives_crashes, run_action
from tests.integration.categories.testing.crash_kit.words import ROWS, Store

pytestmark = pytest.mark.django_db

calls = Calls(lambda word, key=None: f"{word} was sent", lost=ConnectionError("no answer came"))


class SendMany(Store):
    """Send two words at a time."""

    effects = Effects.EXTERNAL
    ordered = False
    concurrency = 2

    def process(self, row: Row, context: Context) -> Outcome:
        if row.word == "fail":
            raise RowFailed("it failed")
        return Succeeded(said=calls(row.word, key=context.effect_key))


class SendManyAgain(SendMany):
    """Send two words at a time, as often as it takes."""

    idempotent = True


class SendOne(SendMany):
    """Send one word at a time."""

    concurrency = 1


def survive(action: Any, **options: Any) -> int:
    return assert_survives_crashes(action, ROWS, **{"calls": calls, "tables": [], **options})


@pytest.mark.parametrize("action", [SendMany, SendManyAgain])
def test_an_action_that_sends_each_row_once_survives_in_groups(action: Any) -> None:
    in_groups, one_by_one = survive(action), survive(SendOne)

    assert in_groups > 25
    assert in_groups != one_by_one


def test_a_call_that_differs_when_it_is_repeated_is_noticed() -> None:
    attempts: list[str] = []

    class Counts(SendManyAgain):
        """Send the number of the attempt along."""

        def process(self, row: Row, context: Context) -> Outcome:
            attempts.append(row.word)
            return Succeeded(said=calls(row.word, key=f"{context.effect_key} {len(attempts)}"))

    with pytest.raises(AssertionError, match=r"run a second time|a repetition has to be the same"):
        survive(Counts)


def test_an_action_that_takes_turns_with_its_neighbour_is_noticed() -> None:
    class Remembers(SendManyAgain):
        """Say what the row before was."""

        before = ""

        def process(self, row: Row, context: Context) -> Outcome:
            said, self.before = self.before, row.word
            calls(row.word, key=context.effect_key)
            return Succeeded(said=said)

    with pytest.raises(AssertionError, match="one row at a time, nobody dying"):
        survive(Remembers)


def test_a_row_that_is_put_off_is_sent_again_even_if_it_must_not_be_repeated() -> None:
    asked: set[str] = set()

    class Busy(SendMany):
        """Ask each word to come back once."""

        def process(self, row: Row, context: Context) -> Outcome:
            if row.word == "b" and context.effect_key not in asked:
                asked.add(str(context.effect_key))
                raise RetryLater(30)
            return super().process(row, context)

    assert survive(Busy, watching=[asked]) > 25


def test_a_test_that_runs_an_action_sees_that_a_row_is_put_off() -> None:
    class Busy(SendMany):
        """Never take a word."""

        def process(self, row: Row, context: Context) -> Outcome:
            raise RetryLater(30)

    with pytest.raises(RetryLater, match=re.escape("asked to send it again after 30 s")):
        run_action(Busy, ROWS)


def test_a_busy_answer_that_may_have_taken_effect_is_no_reason_to_send_again() -> None:
    class Hopes(SendMany):
        """Take every lost answer for a request to come later."""

        def process(self, row: Row, context: Context) -> Outcome:
            try:
                return super().process(row, context)
            except ConnectionError:
                raise RetryLater(1) from None

    with pytest.raises(AssertionError, match="it called again"):
        survive(Hopes)
