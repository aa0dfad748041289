"""Does a converter's process report its findings, and always end?"""

from __future__ import annotations

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

from piston import disk_reserve
from piston.http.transfers import NoFreeSlot
from tasks_app.api import conversion as conversions
from tasks_app.api.conversion import Conversion, ConversionQueue
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

PROGRAM = "tests.unit.tasks_app.api.odd_converter"
SECONDS = 60


class Stopped(Exception):
    """The server stops waiting."""


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
        ("take memory", CSVFormatError, f"limit of {converting.MAX_MEMORY_BYTES} bytes"),
        ("use up its time", CSVFormatError, "limit of 100 seconds"),
        ("lose its disk at the end", StorageFull, "no room"),
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


def test_what_a_converter_writes_leaves_the_reserve_of_the_disk_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(disk_reserve, "least_free_bytes", lambda: 2**62)

    with pytest.raises(StorageFull):
        run("fill its disk")


def test_a_converter_may_not_take_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversions, "MAX_SECONDS", 0.5)
    monkeypatch.setattr(conversions, "CHECK_SECONDS", 0.01)

    for does in ("wait", "write for ever"):
        with pytest.raises(ConverterDied, match="took more than"):
            run(does)


def test_a_converter_ends_in_the_midst_of_its_output_when_nobody_waits_for_it() -> None:
    looks = iter(range(10))

    def look() -> None:
        if next(looks) == 5:
            raise Stopped

    with file_of(b"") as file:
        conversion = Conversion(PROGRAM, file, {"does": "write for ever"}, look)
        with pytest.raises(Stopped), conversion:
            list(iter(conversion.read, b""))

    assert conversion._process.returncode == -9


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
        [sys.executable, "-m", PROGRAM, other_parent, "/tmp", "0", '{"does": "copy"}'],
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


# ---- the queue -----------------------------------------------------------------------------------


class Line:
    """Requests that wait for a slot, each in a thread, and the order in which they got one."""

    def __init__(self, count: int) -> None:
        self.queue = ConversionQueue(count)
        self.served: list[str] = []
        self.threads: list[threading.Thread] = []

    def join(self, name: str) -> None:
        """Wait for a slot of the tree with the name's first letter, behind all waiting requests."""
        has_joined = threading.Event()

        def wait() -> None:
            with self.queue.slot(name[0], has_joined.set):
                self.served.append(name)

        self.threads.append(threading.Thread(target=wait))
        self.threads[-1].start()
        assert has_joined.wait(SECONDS)

    def end(self) -> list[str]:
        """Wait until every request has had a slot."""
        for thread in self.threads:
            thread.join(SECONDS)
        return self.served


def test_a_tree_has_one_converter_at_one_time() -> None:
    line = Line(2)

    with line.queue.slot("a", never):
        line.join("a2")
        with line.queue.slot("b", never):
            line.served.append("b1")

    assert line.end() == ["b1", "a2"]


def test_all_trees_together_have_so_many_converters() -> None:
    line = Line(1)

    with line.queue.slot("a", never):
        line.join("b1")
        line.served.append("a1")

    assert line.end() == ["a1", "b1"]


def test_whoever_comes_waits_for_one_turn_of_each_other_tree() -> None:
    line = Line(1)

    with line.queue.slot("a", never):
        for name in ("b1", "b2", "b3", "a2", "c1", "b4"):
            line.join(name)

    assert line.end() == ["b1", "a2", "c1", "b2", "b3", "b4"]


def test_a_tree_for_which_many_wait_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversions, "MAX_WAITING", 1)
    line = Line(1)

    with line.queue.slot("a", never):
        line.join("b1")
        with pytest.raises(NoFreeSlot) as refused, line.queue.slot("b", never):
            pass
        line.join("c1")

    assert refused.value.is_own_fault
    assert line.end() == ["b1", "c1"]


@pytest.mark.parametrize(("tree", "is_own_fault"), [("a", True), ("b", False)])
def test_nobody_waits_long_for_a_turn(
    tree: str, is_own_fault: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversions, "MAX_WAIT_SECONDS", 0.0)
    queue = ConversionQueue(1)

    with queue.slot("a", never), pytest.raises(NoFreeSlot) as refused, queue.slot(tree, never):
        pass

    assert refused.value.is_own_fault is is_own_fault


def test_who_waits_for_a_turn_may_give_up() -> None:
    queue = ConversionQueue(1)

    def stop() -> None:
        raise Stopped

    with queue.slot("a", never), pytest.raises(Stopped), queue.slot("b", stop):
        pass

    with queue.slot("b", never):
        pass
    assert not queue._running
    assert not queue._waiting
