"""Compares an undisturbed run with one that had faults, and describes differences for authors."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import zip_longest

from categories.contract import Action, RowFailed, Succeeded
from categories.running.failures import Indeterminate
from categories.testing.crash_kit.calls import AnswerFault, Call
from categories.testing.crash_kit.trials import Ran
from categories.testing.crash_kit.watching import describe_difference

State = Mapping[str, Sequence[str]]


@dataclass
class RunResult:
    """The output, effects and calls of a run."""

    ran: Ran
    state: State  # the rows of tables, and the contents of watched things
    calls: list[Call]
    sent_at_death: frozenset[int]  # the rows that were journaled as sent when the worker died

    @property
    def ending(self) -> str:
        """Why the run ended early; "" if it did not."""
        return self.ran.refused or self.ran.stopped

    def lines_by_row(self) -> list[list[list[str]]]:
        """Return the lines of the output of each row."""
        lines = iter(self.ran.lines)
        return [
            [
                next(lines)
                for _ in range(
                    max(1, len(outcome.rows)) if isinstance(outcome, Succeeded) else 1
                )
            ]
            for outcome in self.ran.outcomes
        ]  # fmt: skip

    def without_row(self, number: int) -> RunResult:
        """Return the same result without a row's lines."""
        by_row = self.lines_by_row()
        del by_row[number - 1]
        lines = [line for lines in by_row for line in lines]
        return replace(self, ran=replace(self.ran, lines=lines))

    def calls_of(self, row_number: int) -> list[Call]:
        """Return the calls made for a row."""
        return self._calls_by_row.get(row_number, [])

    @cached_property
    def _calls_by_row(self) -> dict[int | None, list[Call]]:
        by_row: dict[int | None, list[Call]] = {}
        for call in self.calls:
            by_row.setdefault(call.row_number, []).append(call)
        return by_row

    def check_calls(self, action: type[Action], *, has_world: bool) -> None:
        """Raise AssertionError if an undisturbed run made no calls, or calls of a wrong kind."""
        name = action.__name__
        if not self.calls:
            raise AssertionError(
                f"{name} never called what stands in for the outside: put the Calls where the"
                " action looks the function up."
            )
        for call in self.calls:
            if call.row_number is None:
                raise AssertionError(
                    f"{name} called the outside in {call.within}: only calls for a row are"
                    " journaled, this one is made again after a crash."
                )
            if action.idempotent and not has_world and not call.carries_key:
                raise AssertionError(
                    f"{name} is declared idempotent, but its call {call} for row"
                    f" {call.row_number} does not carry context.effect_key: the outside cannot"
                    " tell that a repetition is none. Send the key along; or, if repeating does"
                    " no harm anyway, show it by a world of the test's own, in watching="
                )


def compare(expected: RunResult, found: RunResult, where: str) -> None:
    """Raise AssertionError with the first difference between two runs, if there is one."""
    compare_lines(expected.ran.lines, found.ran.lines, where)
    compare_state(expected.state, found.state, where)
    if expected.ending != found.ending:
        raise AssertionError(
            f"{where}: the task ended {found.ending!r}, not {expected.ending!r} as undisturbed"
        )
    if expected.calls != found.calls:
        raise AssertionError(
            f"{where}: the calls were {show_calls(found.calls)}, not {show_calls(expected.calls)}"
        )


def compare_state(expected: State, found: State, where: str) -> None:
    """Raise AssertionError if the contents of a table or a watched thing differ."""
    for name, texts in expected.items():
        if found[name] != texts:
            raise AssertionError(f"{where}: {describe_difference(name, texts, found[name])}")


def compare_lines(expected: list[list[str]], found: list[list[str]], where: str) -> None:
    """Raise AssertionError with the first line of the output that differs, if there is one."""
    for number, (line, other) in enumerate(zip_longest(expected, found), 1):
        if line != other:
            raise AssertionError(
                f"{where}: line {number} of the output is {other or 'missing'},"
                f" undisturbed it is {line or 'not there'}"
            )


def compare_calls(action: type[Action], expected: RunResult, found: RunResult, where: str) -> None:
    """Compare runs that call the outside: only rows in flight may have been called twice."""
    in_flight = found.sent_at_death
    rows = range(1, max(len(expected.ran.outcomes), len(found.ran.outcomes)) + 1)
    for row in rows:
        before, after = expected.calls_of(row), found.calls_of(row)
        if row not in in_flight:
            if before != after:
                raise AssertionError(
                    f"{where}: row {row}, which was not in flight, was called with"
                    f" {show_calls(after)}, not with {show_calls(before)}"
                )
        elif action.idempotent:
            check_repeated(before, after, row, where)
        elif after != before[: len(after)]:
            raise AssertionError(
                f"{where}: row {row} was called with {show_calls(after)}; undisturbed with"
                f" {show_calls(before)}, and it may never be called again"
            )
    if not in_flight or action.idempotent:
        compare_state(expected.state, found.state, where)
    unknown = {
        number
        for number in in_flight
        if not (action.idempotent and isinstance(expected.ran.outcomes[number - 1], Succeeded))
    }
    for number in unknown:
        if not isinstance(found.ran.outcomes[number - 1], Indeterminate):
            raise AssertionError(  # noqa: TRY004 - an assertion of a test
                f"{where}: row {number} was in flight, and is not indeterminate"
            )
    if not unknown:
        compare_lines(expected.ran.lines, found.ran.lines, where)
    compare_other_rows(expected, found, unknown, where)


def check_repeated(expected: list[Call], found: list[Call], row: int, where: str) -> None:
    """Raise AssertionError unless the calls fit a row that was interrupted and repeated."""
    begun = len(found) - len(expected)
    if begun < 0 or begun > len(expected) or found != expected[:begun] + expected:
        raise AssertionError(
            f"{where}: row {row} was called with {show_calls(found)}; undisturbed with"
            f" {show_calls(expected)}, and a repetition has to be the same to the last argument"
        )


def compare_bad_answer(
    action: type[Action],
    expected: RunResult,
    found: RunResult,
    call: Call,
    answer_fault: AnswerFault,
) -> None:
    """Raise AssertionError if an action handles a bad answer wrongly.

    It may repeat the call with the same effect key, and trust the new answer. Otherwise the row
    must be indeterminate.
    """
    row = call.row_number or 0
    later = ", and so to all later calls for that row" if answer_fault.is_permanent else ""
    where = (
        f"{action.__name__}, the answer to call {answer_fault.place + 1}, {call}, for row {row}"
        f"{later} being {answer_fault.bad.what}"
    )
    before, after = expected.calls_of(row), found.calls_of(row)
    if action.idempotent:
        if any(each not in before for each in after):
            raise AssertionError(
                f"{where}: it was called with {show_calls(after)} instead of {show_calls(before)}:"
                " a repetition has to be the same to the last argument"
            )
    elif any(after.count(each) > before.count(each) for each in after):
        raise AssertionError(
            f"{where}: it called again, {show_calls(after)}. The first call may have happened;"
            " let the exception out, and the row is reported indeterminate"
        )
    outcome = found.ran.outcomes[row - 1]
    if action.idempotent:  # another call says nothing about this one
        asked_again = after.count(call) > before.count(call)
    else:
        asked_again = len(after) > 1 + before.index(call)
    if (answer_fault.is_permanent or not asked_again) and not isinstance(outcome, Indeterminate):
        said = f"failed: {outcome.message}" if isinstance(outcome, RowFailed) else "succeeded"
        then = "sent again with the same key" if action.idempotent else "reported indeterminate"
        raise AssertionError(
            f"{where}: it said that the row {said}. Nobody knows that; let an exception out, and"
            f" the row is {then}"
        )
    compare_other_rows(expected, found, {row}, where)


def compare_other_rows(
    expected: RunResult, found: RunResult, rows: Collection[int], where: str
) -> None:
    """Raise AssertionError if the lines of any other row differ."""
    others = zip(expected.lines_by_row(), found.lines_by_row(), strict=False)
    for number, (lines, other_lines) in enumerate(others, 1):
        if number not in rows:
            compare_lines(lines, other_lines, f"{where}: of row {number}")


def show_calls(calls: Sequence[Call]) -> str:
    """Return the calls as text; "nothing" if there are none."""
    return ", ".join(map(str, calls)) or "nothing"
