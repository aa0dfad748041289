"""Two good actions, from which the tests of the crash kit make bad ones."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest

from categories.columns import TextColumn
from categories.contract import (
    Context,
    Outcome,
    Page,
    PageAction,
    Row,
    RowAction,
    RowFailed,
    StopTask,
    Succeeded,
)
from categories.testing import assert_survives_crashes
from categories.testing.crash_kit.sampling import Survived
from piston.accounts.models import Account

NOW = datetime(2026, 11, 23, tzinfo=UTC)
ROWS = [{"word": word} for word in ("a", "b", "fail", "c", "a")]
PAGE_LENGTH = 2  # words


class Store(RowAction):
    """Store words as accounts; `fail` fails after it was written."""

    word = TextColumn("What to store.", mandatory=True)
    output = [TextColumn("said", "What was said.")]

    def process(self, row: Row, context: Context) -> Outcome:
        Account.objects.create(name=row.word, created_at=context.now())
        if row.word == "fail":
            raise RowFailed("it failed")
        if row.word == "stop":
            raise StopTask("enough")
        if row.word == "break":
            raise ZeroDivisionError("it broke")
        return Succeeded(said=row.word.upper())


class List(PageAction):
    """List words, a few per page; the cursor is how many came before."""

    output = [TextColumn("word", "A word.")]
    words: ClassVar[Sequence[str]] = "abcdefg"

    def page(self, cursor: Any, context: Context) -> Page:
        begin = cursor or 0
        end = begin + PAGE_LENGTH
        rows = [(word,) for word in self.words[begin:end]]
        return Page(rows, cursor=end if end < len(self.words) else None)


def survive(action: Any, rows: Any = ROWS, **options: Any) -> Survived:
    """Try an action over accounts, at a fixed time."""
    options = {"now": NOW, "tables": [Account], "ignoring": ["id"], "seconds": None, **options}
    return assert_survives_crashes(action, rows, **options)


def list_all(action: type[PageAction]) -> int:
    """Try an action that yields pages of PAGE_LENGTH."""
    return survive(action, (), page_size=f"{__name__}.PAGE_LENGTH")


def catching(*words: str) -> Any:
    """Expect the kit to fail with a message that has these words in this order."""
    pattern = ".*".join(map(re.escape, words))
    return pytest.raises(AssertionError, match=f"(?s){pattern}")
