"""Does the crash kit detect actions that lose or repeat a row? Each test plants a bug."""

from contextlib import suppress
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from categories.contract import Context, Effects, Outcome, Page, Refused, Row, RowFailed, Succeeded
from categories.contract.rows import row_number
from categories.testing.crash_kit.sampling import MIN_TRIALS
from piston.accounts.models import Account
from tests.integration.categories.testing.crash_kit import words
from tests.integration.categories.testing.crash_kit.words import (
    NOW,
    ROWS,
    List,
    Store,
    catching,
    list_all,
    survive,
)

pytestmark = pytest.mark.django_db


# ---- Good actions pass ---------------------------------------------------------------------------


def test_an_action_that_keeps_to_its_transaction_survives_and_leaves_no_fault() -> None:
    assert survive(Store) > 100
    assert not Account.objects.exists()


@pytest.mark.parametrize("word", ["stop", "break"])
def test_an_action_that_raises_survives(word: str) -> None:
    rows = [{"word": name} for name in ("a", "b", word, "c")]

    assert survive(Store, rows) > 60


def test_an_action_that_takes_batches_survives() -> None:
    class StoreAtOnce(Store):
        """Store words in one statement."""

        def process_batch(self, rows: Any, context: Context) -> Any:
            new = [Account(name=row.word, created_at=context.now()) for row in rows]
            Account.objects.bulk_create(new)
            return [Succeeded(said=row.word.upper()) for row in rows]

    assert survive(StoreAtOnce, ROWS[:3], batch_size=2) > 20


def test_an_action_with_a_savepoint_of_its_own_survives() -> None:
    class Careful(Store):
        """Store words, each in a savepoint."""

        def process(self, row: Row, context: Context) -> Outcome:
            with suppress(RowFailed), transaction.atomic():
                return super().process(row, context)
            return Succeeded(said="not")

    assert survive(Careful, ROWS[:3], batch_size=2) > 50


def test_pages_survive() -> None:
    assert list_all(List) > 20
    assert words.PAGE_LENGTH == 2


def test_a_finish_that_keeps_to_its_transaction_survives() -> None:
    class Concludes(Store):
        """Store a word more at the end."""

        def finish(self, context: Context) -> None:
            Account.objects.create(name="end", created_at=context.now())

    assert survive(Concludes, ROWS[:2], batch_size=2) > 50


# ---- Planted bugs --------------------------------------------------------------------------------


def test_a_global_that_the_output_depends_on_is_noticed() -> None:
    seen: list[str] = []

    class Numbers(Store):
        """Number words in a global."""

        def process(self, row: Row, context: Context) -> Outcome:
            seen.append(row.word)
            return Succeeded(said=str(len(seen)))

    with catching("Numbers, run a second time", "what outlives a run", "line 1 of the output"):
        survive(Numbers)


def test_what_was_remembered_and_rolled_back_is_noticed() -> None:
    seen: list[str] = []

    class Remembers(Store):
        """Store what was not seen before."""

        def process(self, row: Row, context: Context) -> Outcome:
            if row.word in seen:
                return Succeeded()
            seen.append(row.word)
            return super().process(row, context)

        def permitted(self, context: Context) -> None:
            seen.clear()

    with catching("Remembers", "the worker dying within row 1", "line 1", "'', ''"):
        survive(Remembers, [{"word": "a"}], batch_size=1)


def test_state_on_self_is_noticed() -> None:
    class Numbers(Store):
        """Number words in the object."""

        number = 0

        def process(self, row: Row, context: Context) -> Outcome:
            self.number += 1
            return Succeeded(said=str(self.number))

    with catching("Numbers", "rows 1 to 3", "the next one went on", "line 4", "'1'"):
        survive(Numbers, [{"word": word} for word in "abcd"])


@pytest.mark.parametrize("cursor", [NOW, {1, 2}, object()])
def test_a_cursor_that_is_not_json_is_noticed(cursor: Any) -> None:
    class Marks(List):
        """List words and mark the place with anything."""

        def page(self, at: Any, context: Context) -> Page:
            return Page([("a",)], cursor=cursor)

    with catching("The cursor after the page at None", "kept as JSON"):
        list_all(Marks)


def test_a_cursor_that_comes_back_from_json_as_something_else_is_noticed() -> None:
    class Tuples(List):
        """List words; a cursor that is a list is taken for the first."""

        def page(self, cursor: Any, context: Context) -> Page:
            page = super().page(cursor[0] if isinstance(cursor, tuple) else None, context)
            return Page(page.rows, page.cursor and (page.cursor, "on"))

    with catching("Tuples", "the worker dying after the commit of the page at None", "line"):
        list_all(Tuples)


def test_a_cursor_that_skips_is_noticed() -> None:
    class Skips(List):
        """List words, but the first of each further page."""

        def page(self, cursor: Any, context: Context) -> Page:
            page = super().page(cursor, context)
            return Page(page.rows[1:] if cursor else page.rows, page.cursor)

    with catching("Skips, one row at a time", "line"):
        list_all(Skips)


def test_pages_that_go_on_from_the_object_are_noticed() -> None:
    class Walks(List):
        """List words and remember the place in the object."""

        place = 0

        def page(self, cursor: Any, context: Context) -> Page:
            page = super().page(self.place, context)
            self.place += words.PAGE_LENGTH
            return Page(page.rows, page.cursor)

    with catching("Walks", "the worker dying", "line"):
        list_all(Walks)


def test_an_action_that_depends_on_the_batch_size_is_caught() -> None:
    class Batches(Store):
        """Say how many there are."""

        def process_batch(self, rows: Any, context: Context) -> Any:
            return [Succeeded(said=str(len(rows))) for _ in rows]

    with catching("Batches, one row at a time, nobody dying: line 1 of the output is ['a', '1'"):
        survive(Batches)


def test_a_repetition_within_a_batch_that_is_not_seen_is_caught() -> None:
    class StoresNew(Store):
        """Store words that are not there yet."""

        def process_batch(self, rows: Any, context: Context) -> Any:
            known = set(Account.objects.values_list("name", flat=True))
            new = [row.word for row in rows if row.word not in known]
            Account.objects.bulk_create(Account(name=n, created_at=context.now()) for n in new)
            return [Succeeded() for _ in rows]

    with catching("StoresNew, one row at a time", "Account lacks", "name='a'"):
        survive(StoresNew, [{"word": word} for word in "aab"])


def test_state_that_a_rolled_back_batch_left_is_noticed() -> None:
    """The same object runs the failed batch and its halves."""

    class Once(Store):
        """Store a word, unless the object has seen it."""

        def process(self, row: Row, context: Context) -> Outcome:
            seen = vars(self).setdefault("seen", set())
            first = row.word not in seen
            seen.add(row.word)
            return super().process(row, context) if first else Succeeded(said=row.word.upper())

    with catching("Once", "failing when it is run for the first time", "lacks"):
        survive(Once, [{"word": word} for word in "ab"], batch_size=2)


def test_what_a_bad_row_leaves_behind_is_noticed() -> None:
    """The object resets itself if a batch runs again, but not if only the bad row does."""

    class New(Store):
        """Store words that are not there yet."""

        def process_batch(self, rows: Any, context: Context) -> Any:
            seen, last = vars(self).setdefault("kept", (set(), 0))
            if row_number(rows[0]) <= last:
                seen.clear()
            vars(self)["kept"] = (seen, row_number(rows[-1]))
            for row in rows:
                if row.word not in seen and not Account.objects.filter(name=row.word):
                    Account.objects.create(name=row.word, created_at=context.now())
                seen.add(row.word)
            return [Succeeded() for _ in rows]

    with catching("New, 3 rows at a time, row 2 being bad", "lacks (name='b'"):
        survive(New, [{"word": word} for word in "abb"])


# ---- Tests that would show nothing ---------------------------------------------------------------


def test_a_clock_of_ones_own_is_noticed() -> None:
    class Late(Store):
        """Say what time it is."""

        def process(self, row: Row, context: Context) -> Outcome:
            return Succeeded(said=timezone.now().isoformat())

    with catching("Late, run a second time", "context.now"):
        survive(Late)


def test_rows_that_all_fail_show_no_fault() -> None:
    with catching("Store: every row failed", "it failed", "rows that succeed"):
        survive(Store, [{"word": "fail"}, {"word": ""}])


def test_a_refused_task_shows_no_fault() -> None:
    class Forbidden(Store):
        """Never run."""

        def permitted(self, context: Context) -> None:
            raise Refused("no")

    with catching("Forbidden was refused (no)"):
        survive(Forbidden)


def test_an_error_that_is_not_declared_is_noticed() -> None:
    class Declares(Store):
        """Store words."""

        errors = ("it broke",)

    with catching("Declares failed a row with 'it failed'", "'it broke'"):
        survive(Declares)


# ---- Long files ----------------------------------------------------------------------------------


def test_a_long_file_is_tried_in_larger_batches_and_at_some_boundaries() -> None:
    class Echoes(Store):
        """Say words again."""

        effects = Effects.NONE

        def process(self, row: Row, context: Context) -> Outcome:
            return Succeeded(said=row.word)

    rows = [{"word": f"word {number}"} for number in range(2_000)]

    survived = survive(Echoes, rows, seconds=0.0)

    assert survived.tried == MIN_TRIALS
    assert 500 < survived.boundaries < 2_000


def test_a_bug_that_shows_anywhere_is_noticed_in_a_sample_too() -> None:
    class Numbers(Store):
        """Number words in the object."""

        effects = Effects.NONE
        number = 0

        def process(self, row: Row, context: Context) -> Outcome:
            self.number += 1
            return Succeeded(said=str(self.number))

    with catching("Numbers", "run for the first time, nobody dying: line"):
        survive(Numbers, [{"word": "a"}] * 1_500, seconds=0.0)


def test_a_bug_that_shows_without_a_death_is_noticed_in_any_sample() -> None:
    class Once(Store):
        """Store words, unless the object has seen them."""

        def process_batch(self, rows: Any, context: Context) -> Any:
            seen = vars(self).setdefault("seen", set())
            new = {row.word for row in rows} - seen
            seen |= new
            Account.objects.bulk_create(Account(name=n, created_at=context.now()) for n in new)
            return [Succeeded() for _ in rows]

    rows = [{"word": f"word {number}"} for number in range(1_001)]

    with catching("Once", "failing when it is run for the first time, nobody dying:", "lacks"):
        survive(Once, rows, seconds=0.0)
