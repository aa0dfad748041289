"""Which differences between two runs are a fault? (cases that need no run)"""

from collections.abc import Collection
from dataclasses import replace

import pytest

from categories.columns import TextColumn
from categories.contract import Context, Effects, Outcome, Row, RowAction, Succeeded
from categories.running.failures import Indeterminate
from categories.testing.crash_kit.calls import Call
from categories.testing.crash_kit.differences import RunResult, compare, compare_calls
from categories.testing.crash_kit.trials import Ran


class Send(RowAction):
    """Send words."""

    word = TextColumn("What to send.", mandatory=True)
    effects = Effects.EXTERNAL

    def process(self, row: Row, context: Context) -> Outcome:
        raise NotImplementedError


def call(row_number: int) -> Call:
    return Call(row_number, f"key {row_number}", (f"word {row_number}",), {}, "a row")


def left(*calls: int, in_flight: Collection[int] = ()) -> RunResult:
    """Return the result of a run over three rows; the rows in flight are indeterminate."""
    outcomes: list[Outcome] = [
        Indeterminate("it died") if number in in_flight else Succeeded() for number in (1, 2, 3)
    ]
    lines = [[str(number), ""] for number in (1, 2, 3)]
    ran = Ran(["word", "error"], lines, outcomes)
    return RunResult(ran, {}, [call(number) for number in calls], frozenset(in_flight))


@pytest.mark.parametrize("calls", [(1, 2, 3), (1, 3)])
def test_the_row_in_flight_may_have_been_called_or_not(calls: tuple[int, ...]) -> None:
    compare_calls(Send, left(1, 2, 3), left(*calls, in_flight=[2]), "here")


@pytest.mark.parametrize(
    ("calls", "why"),
    [
        ((1, 2, 2, 3), "row 2 was called with .* may never be called again"),
        ((1, 2), "row 3, which was not in flight, was called with nothing"),
        ((1, 1, 2, 3), "row 1, which was not in flight"),
    ],
)
def test_any_other_call_is_a_fault(calls: tuple[int, ...], why: str) -> None:
    with pytest.raises(AssertionError, match=f"here: {why}"):
        compare_calls(Send, left(1, 2, 3), left(*calls, in_flight=[2]), "here")


def test_a_row_in_flight_that_is_not_indeterminate_is_a_fault() -> None:
    found = replace(left(1, 2, 3), sent_at_death=frozenset([2]))

    with pytest.raises(AssertionError, match="row 2 was in flight, and is not indeterminate"):
        compare_calls(Send, left(1, 2, 3), found, "here")


@pytest.mark.parametrize("calls", [(1, 2, 3), (1, 3), (1, 2), (1,)])
def test_each_row_of_a_group_in_flight_may_have_been_called_or_not(calls: tuple[int, ...]) -> None:
    compare_calls(Send, left(1, 2, 3), left(*calls, in_flight=[2, 3]), "here")


def test_no_row_of_a_group_in_flight_may_be_called_twice() -> None:
    with pytest.raises(AssertionError, match=r"row 3 was called with .* may never be called again"):
        compare_calls(Send, left(1, 2, 3), left(1, 3, 3, in_flight=[2, 3]), "here")


def test_another_ending_is_a_fault() -> None:
    found = left(1)
    found.ran.stopped = "enough"

    with pytest.raises(AssertionError, match="here: the task ended 'enough', not ''"):
        compare(left(1), found, "here")
