"""Tests the lines that rows get in the output."""

import pytest
from botocore.exceptions import ClientError
from django.db import IntegrityError, ProgrammingError

from categories.columns import TextColumn
from categories.contract import Context, Outcome, Row, RowAction, RowFailed, Succeeded
from categories.contract.rows import OutputShape
from tasks_app.csv_files.reading import Batch
from tasks_app.execution.out_and_failed_csv import describe_failure, write_rows


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


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RowFailed("the number is in use"), "the number is in use"),
        (ValueError("'a/b' is no number"), "ValueError: 'a/b' is no number"),
        (KeyError("name"), "KeyError: 'name'"),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
        (ValueError("in /srv/piston/keys.txt: bad"), "ValueError: in … bad"),
        (ValueError("at redis://:pw@broker.internal:6379/0"), "ValueError: at …"),
    ],
)
def test_an_error_about_values_says_what_is_wrong(error: Exception, told: str) -> None:
    assert describe_failure(error) == told


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(2, "No such file or directory", "/srv/piston/data/files/ab/in.csv"),
        PermissionError(13, "Permission denied", "/srv/piston"),
        ConnectionRefusedError("db.internal:5432"),
        IntegrityError('duplicate key value violates "number_pkey"\nDETAIL: Key (number)=(1)'),
        ProgrammingError('relation "secret" does not exist\nLINE 1: SELECT * FROM secret'),
        ClientError({"Error": {"Code": "403", "Message": "bucket piston-files"}}, "GetObject"),
        ImportError("cannot import name x", path="/srv/piston/plugin.py"),
        RuntimeError("https://internal/api said no"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_of_the_machinery_says_only_its_name(error: Exception) -> None:
    assert describe_failure(error) == f"{type(error).__name__}: the details are in the log"
