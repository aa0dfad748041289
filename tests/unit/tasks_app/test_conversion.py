"""Does a converter's process say what it found, and end whatever happens?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pytest
from django.conf import settings

from tasks_app.conversion import Conversion, Turns
from tasks_app.csv_files import converting
from tasks_app.errors import (
    ConverterDied,
    CSVFormatError,
    PistonError,
    StorageFull,
    StorageUnavailable,
    UnexpectedContent,
)
from tests.unit.tasks_app.csv_files.json_documents import RULES, answer

PROGRAM = "tests.unit.tasks_app.odd_converter"
SECONDS = 60


class Stopped(Exception):
    """The server does not want to wait any more."""


def never() -> None:
    """Go on waiting."""


def file_of(content: bytes) -> IO[bytes]:
    file = tempfile.TemporaryFile()  # noqa: SIM115 - goes with the test
    file.write(content)
    file.seek(0)
    return file


def run(does: str, content: bytes = b"", look: Callable[[], None] = never) -> tuple[Any, bytes]:
    with (
        file_of(content) as file,
        Conversion(PROGRAM, file, {"does": does}, look) as conversion,
    ):
        return conversion.head, b"".join(iter(lambda: conversion.read(100), b""))


def test_what_a_converter_writes_is_read_whole() -> None:
    content = os.urandom(3 * 2**20)

    assert run("copy", content)[1] == content


def test_a_converter_is_told_no_secrets() -> None:
    assert set(run("copy")[0]["environment"]) <= {"LC_CTYPE"}


@pytest.mark.parametrize(
    ("does", "error", "words"),
    [
        ("refuse", UnexpectedContent, "another kind of input"),
        ("take memory", CSVFormatError, f"limit of {converting.MOST_MEMORY_BYTES} bytes"),
        ("use up its time", CSVFormatError, "limit of 300 seconds"),
        ("lose its disk", StorageFull, "too little room on the disk"),
        ("die early", ConverterDied, "signal 9"),
        ("die late", ConverterDied, "signal 9"),
        ("have a bug", RuntimeError, "exit code 1"),
    ],
)
def test_a_converter_that_fails_is_never_taken_for_done(
    does: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        run(does)


def test_a_folder_that_is_gone_is_a_storage_that_is_away(settings: Any, tmp_path: Path) -> None:
    settings.PISTON_DATA_DIR = tmp_path / "gone"

    with pytest.raises(StorageUnavailable):
        run("copy")


def test_a_server_that_stops_waits_for_no_converter() -> None:
    def stop() -> None:
        raise Stopped

    with file_of(b"") as file:
        conversion = Conversion(PROGRAM, file, {"does": "wait"}, stop)
        with pytest.raises(Stopped):
            conversion.__enter__()

    assert conversion._process.returncode == -9


def test_a_converter_ends_when_nobody_wants_its_csv_any_more() -> None:
    with (
        file_of(b"x" * 10**7) as file,
        Conversion(PROGRAM, file, {"does": "copy"}, never) as conversion,
    ):
        conversion.read(10)

    assert conversion._process.returncode is not None


def test_a_converter_ends_when_its_server_was_killed() -> None:
    other_parent = "1"
    done = subprocess.run(
        [sys.executable, "-m", PROGRAM, other_parent, "/tmp", '{"does": "copy"}'],
        cwd=settings.BASE_DIR,
        input=b"x",
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr == b""


# ---- records -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b'{"data": {"records": [{"a": 1}, {"b": "\xc3\xa9"}], "file_name": "\\ud83d"}}',
        b'{"data": {"records": [{"a": 1}, 2]}}',
        b'{"data": {"records": [{"a": "\\ud83d"}]}}',
        b'{"data": {"records": [{"a": NaN}]}}',
        b'{"data": {"records": [{"a": 1},]}}',
        b'{"data": {"records": [{"a": 1}], "file_name": 1}}',
        b'{"data": {"records": [{"a": "\xff"}]}}',
        b'{"data": {"records": [' + b"[" * 5_000,
    ],
)
def test_records_are_read_the_same_way_as_in_the_server(text: bytes) -> None:
    rules = vars(RULES)
    found: tuple[Any, ...]
    try:
        with (
            file_of(text) as file,
            Conversion("tasks_app.csv_files.records", file, rules, never) as conversion,
        ):
            found = b"".join(iter(lambda: conversion.read(100), b"")), conversion.head
    except PistonError as error:
        found = type(error).__name__, vars(error)

    assert found == answer(text)


@pytest.mark.parametrize(
    "value", [b"[" + b"[]," * 5_000_000 + b"1]", b"{" + b'"\\u0000":1,' * 10 + b'"a":1}']
)
def test_a_value_takes_the_memory_that_it_may_have_or_is_refused(value: bytes) -> None:
    text = b'{"x": %b, "data": {"records": [{"a": 1}]}}' % value
    with file_of(text) as file:
        conversion = Conversion("tasks_app.csv_files.records", file, vars(RULES), never)
        if len(value) > 2**20:
            with pytest.raises(CSVFormatError, match="needs more memory"):
                conversion.__enter__()
        else:
            with conversion:
                assert conversion.read() == b"a\n1\n"


# ---- turns ---------------------------------------------------------------------------------------


def test_a_client_has_one_converter_at_one_time_and_all_together_so_many() -> None:
    turns = Turns(2)
    order: list[str] = []
    waited = threading.Event()

    def wait_for(client: str, look: Callable[[], None]) -> None:
        with turns.taken(client, look):
            order.append(client)

    with turns.taken("a", never):
        wait_for("b", never)
        again = threading.Thread(target=wait_for, args=("a", waited.set))
        again.start()
        assert waited.wait(SECONDS)
        order.append("end of the first")
    again.join(SECONDS)

    assert order == ["b", "end of the first", "a"]


def test_who_waits_for_a_turn_may_give_up() -> None:
    turns = Turns(1)

    def stop() -> None:
        raise Stopped

    with turns.taken("a", never), pytest.raises(Stopped), turns.taken("b", stop):
        pass

    with turns.taken("b", never):
        pass
    assert json.dumps(sorted(turns._running)) == "[]"
