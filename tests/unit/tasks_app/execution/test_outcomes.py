"""What do rows look like in the output?"""

import pytest

from categories.columns import TextColumn
from categories.contract import Context, Outcome, Row, RowAction, RowFailed, Succeeded
from categories.rows import OutputShape
from tasks_app.csv_files.reading import Batch
from tasks_app.execution.outcomes import write_rows


class Look(RowAction):
    """Look at a word."""

    word = TextColumn("A word.")
    output = [TextColumn("seen", "What was seen."), TextColumn("heard", "What was heard.")]

    def process(self, row: Row, context: Context) -> None: ...


class Replace(Look):
    """Look at a word, and write it instead of the row."""

    output = [TextColumn("word", "The word.")]
    replaces_header = True


class Quiet(Look):
    """Look at a word and say nothing of it."""

    output = []


BATCH = Batch([b'"a"', b"b"], [["a"], ["b"]], [4, 6], is_last=True)
SILENT = Succeeded()
SEEN = Succeeded(seen="x")
BOTH = Succeeded.many([{"seen": "x"}, {"heard": "y"}])
SAME_WORD = Succeeded(word="x")
REFUSED = RowFailed("no")


@pytest.mark.parametrize(
    ("action", "outcomes", "output"),
    [
        (Look, [SILENT, SILENT], b'"a",,,\nb,,,\n'),
        (Look, [SILENT], b'"a",,,\n'),
        (Look, [SILENT, Succeeded(seen="x")], b'"a",,,\nb,x,,\n'),
        (Look, [SEEN, SEEN], b'"a",x,,\nb,x,,\n'),
        (Look, [BOTH, BOTH], b'"a",x,,\n"a",,y,\nb,x,,\nb,,y,\n'),
        (Look, [REFUSED, REFUSED], b'"a",,,no\nb,,,no\n'),
        (Replace, [SAME_WORD, SAME_WORD], b"x,\nx,\n"),
        (Look, [RowFailed("no"), SILENT], b'"a",,,no\nb,,,\n'),
        (Look, [], b""),
        (Quiet, [SILENT, SILENT], b'"a",""\nb,""\n'),
        (Replace, [SILENT, SILENT], b"a,\nb,\n"),
    ],
)
def test_rows_are_written_alike_with_and_without_output(
    action: type[RowAction], outcomes: list[Outcome], output: bytes
) -> None:
    written = write_rows(OutputShape(action, ["word"]), BATCH, outcomes)

    assert written.output == output
    assert written.success_count + written.failure_count == len(outcomes)
