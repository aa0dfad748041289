"""Are the objects in `watching` compared and restored?"""

import sys
from pathlib import Path

import pytest

from categories.contract import Context, Outcome, Row
from piston.accounts.models import Account
from tests.integration.categories.testing.crash_kit.words import Store, catching, survive

pytestmark = pytest.mark.django_db
processed = 0  # what a plugin might count in a global


def test_a_watched_folder_is_compared(tmp_path: Path) -> None:
    descriptor = (tmp_path / "log").open("a")  # before the run: no event tells of this write

    class Appends(Store):
        """Store words and write them into an open file."""

        def process(self, row: Row, context: Context) -> Outcome:
            descriptor.write(row.word)
            descriptor.flush()
            return super().process(row, context)

    with descriptor, catching("Appends", "dying", "log", "undisturbed"):
        survive(Appends, watching=[tmp_path])


def test_a_global_counter_is_noticed_when_it_is_watched() -> None:
    class Counts(Store):
        """Store words and count them."""

        def process(self, row: Row, context: Context) -> Outcome:
            global processed
            processed += 1
            return super().process(row, context)

    with catching("Counts", "the worker dying", "processed=", "lacks (processed="):
        survive(Counts, [{"word": "a"}, {"word": "b"}], watching=[sys.modules[__name__]])
    assert processed == 0


def test_what_is_watched_is_as_before_afterwards() -> None:
    seen: list[str] = ["before"]

    class Notes(Store):
        """Note what was stored."""

        def process(self, row: Row, context: Context) -> Outcome:
            seen.append(row.word)
            return super().process(row, context)

    with catching("watched thing 1, a list,"):
        survive(Notes, watching=[seen])

    assert seen == ["before"]


def test_a_finish_with_an_effect_outside_is_noticed() -> None:
    sent: list[str] = []

    class Announces(Store):
        """Store words and announce the end."""

        def finish(self, context: Context) -> None:
            Account.objects.create(name="end", created_at=context.now())
            sent.append("done")

    with catching("Announces", "the worker dying after finish, before", "['done', 'done']"):
        survive(Announces, watching=[sent])
