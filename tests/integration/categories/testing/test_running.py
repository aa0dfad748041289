"""Does the kit for authors run an action and report its outcomes?"""

from typing import Any

import pytest

from categories.columns import TextColumn
from categories.contract import (
    Context,
    Effects,
    Page,
    PageAction,
    Refused,
    Row,
    RowAction,
    RowFailed,
    StopTask,
    Succeeded,
)
from categories.testing import run_action
from piston.accounts.models import Account

ROWS = [{"word": "a"}, {"word": "b"}, {"word": "fail"}, {"word": "c"}]


class Echo(RowAction):
    """Say it again."""

    word = TextColumn("What to say.", mandatory=True)
    output = [TextColumn("said", "What was said.")]
    effects = Effects.NONE

    def process(self, row: Row, context: Context) -> Succeeded:
        if row.word == "fail":
            raise RowFailed("it failed")
        if row.word == "stop":
            raise StopTask("enough")
        if row.word == "twice":
            return Succeeded.many([{"said": "1"}, {"said": "2"}])
        if row.word == "silent":
            return Succeeded()
        return Succeeded(said=row.word.upper())


class Store(Echo):
    """Store it.

    What was stored before a failure has to go.
    """

    effects = Effects.DATABASE

    def process(self, row: Row, context: Context) -> Succeeded:
        Account.objects.create(name=row.word, created_at=context.now())
        return super().process(row, context)


class Send(Echo):
    """Send it."""

    effects = Effects.EXTERNAL

    def process(self, row: Row, context: Context) -> Succeeded:
        return Succeeded(said=context.effect_key)


class Forbidden(Echo):
    """Never run."""

    def permitted(self, context: Context) -> None:
        raise Refused("no")


class Count(PageAction):
    """Count to three."""

    output = [TextColumn("number", "A number.")]

    def page(self, cursor: Any, context: Context) -> Page:
        number = cursor or 1
        return Page([{"number": number}], cursor=number + 1 if number < 3 else None)


def test_rows_come_back_as_lines_without_any_database() -> None:
    ran = run_action(Echo, ROWS)

    assert ran.header == ["word", "said", "error"]
    assert ran.lines == [["a", "A", ""], ["b", "B", ""], ["fail", "", "it failed"], ["c", "C", ""]]
    assert ran.failures == ["it failed"]
    assert ran.cells[0] == {"word": "a", "said": "A", "error": ""}


def test_rows_may_be_csv_text() -> None:
    assert run_action(Echo, 'word\n"a,b"\n').lines == [["a,b", "A,B", ""]]


def test_a_row_may_have_several_lines_or_an_empty_one() -> None:
    ran = run_action(Echo, [{"word": "twice"}, {"word": "silent"}])

    assert ran.lines == [["twice", "1", ""], ["twice", "2", ""], ["silent", "", ""]]


def test_a_bad_cell_fails_its_row_without_the_action() -> None:
    ran = run_action(Echo, [{"word": ""}, {"word": "a"}])

    assert [line[-1] for line in ran.lines] == ["bad field(s) word: no value", ""]


def test_a_column_that_is_not_declared_is_an_error_of_the_test() -> None:
    with pytest.raises(ValueError, match="Echo declares no column wrod"):
        run_action(Echo, [{"wrod": "a"}])


def test_a_refusal_and_a_stop_are_told() -> None:
    refused = run_action(Forbidden, ROWS)
    stopped = run_action(Echo, [{"word": "a"}, {"word": "stop"}, {"word": "b"}])

    assert (refused.refused, refused.lines) == ("no", [])
    assert stopped.stopped == "enough"
    assert stopped.lines == [["a", "A", ""], ["stop", "", "enough"]]


def test_pages_are_read_to_the_end() -> None:
    assert run_action(Count).lines == [["1"], ["2"], ["3"]]


def test_a_cursor_that_does_not_move_is_an_error() -> None:
    class Stuck(Count):
        """Never get on."""

        def page(self, cursor: Any, context: Context) -> Page:
            return Page([], cursor=[1])

    with pytest.raises(AssertionError, match="would never end"):
        run_action(Stuck)


def test_the_effect_key_is_the_rows_own_and_stays() -> None:
    keys = [line[1] for line in run_action(Send, ROWS[:2]).lines]

    assert len(set(keys)) == 2
    assert keys == [line[1] for line in run_action(Send, ROWS[:2]).lines]


def test_an_exception_is_the_authors_to_see() -> None:
    class Broken(Echo):
        """Break."""

        def process(self, row: Row, context: Context) -> Succeeded:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_action(Broken, ROWS)


@pytest.mark.django_db
def test_what_a_row_wrote_before_it_failed_is_undone() -> None:
    run_action(Store, ROWS)

    assert set(Account.objects.values_list("name", flat=True)) == {"a", "b", "c"}


@pytest.mark.parametrize("errors", [(), ["it failed"], ["no {word}", "it {verb}"]])
def test_a_declared_error_is_an_outcome_like_any_other(errors: Any) -> None:
    class Declared(Echo):
        """Say it again."""

    Declared.errors = errors

    assert run_action(Declared, [*ROWS, {"word": ""}]).failures[0] == "it failed"


@pytest.mark.parametrize("errors", [["it"], ["it failed."], ["{word} fails"]])
def test_an_error_that_is_not_declared_fails_the_test(errors: Any) -> None:
    class Declared(Echo):
        """Say it again."""

    Declared.errors = errors

    with pytest.raises(AssertionError, match="failed a row with 'it failed', which its `errors`"):
        run_action(Declared, ROWS)


def test_a_task_that_is_stopped_needs_no_declared_error() -> None:
    class Declared(Echo):
        """Say it again."""

        errors = ("no such word",)

    assert run_action(Declared, [{"word": "stop"}]).stopped == "enough"


def test_a_permission_that_is_denied_with_false_is_told_to_raise_refused() -> None:
    class Deny(RowAction):
        """Deny everybody, in a way that nobody would notice."""

        word = TextColumn("A word.")
        effects = Effects.NONE

        def permitted(self, context: Context) -> bool:  # type: ignore[override]
            return False

        def process(self, row: Row, context: Context) -> None: ...

    with pytest.raises(TypeError, match=r"raise Refused\(reason\)"):
        run_action(Deny, [{"word": "a"}])
