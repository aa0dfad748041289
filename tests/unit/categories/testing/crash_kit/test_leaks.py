"""Does the kit separate effects that no transaction undoes from harmless ones?"""

from collections.abc import Callable
from pathlib import Path
from shutil import rmtree
from tempfile import NamedTemporaryFile, TemporaryDirectory, TemporaryFile
from threading import Event, Thread

import pytest

from categories.testing.crash_kit.leaks import is_write, leaks_reported


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO t VALUES (1)",
        "  update t SET a = 1",
        "WITH new AS (SELECT 1) INSERT INTO t SELECT * FROM new",
        "COPY t FROM STDIN",
        "COPY (INSERT INTO t VALUES (1) RETURNING 1) TO STDOUT",
        "COPY (WITH a AS (DELETE FROM t RETURNING 1) SELECT * FROM a) TO STDOUT",
        "CREATE TABLE t (a text)",
    ],
)
def test_a_statement_that_writes_is_known(sql: str) -> None:
    assert is_write(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM update_log",
        "COPY (SELECT * FROM t) TO STDOUT",
        "WITH a AS (SELECT 1) SELECT * FROM a",
        'SAVEPOINT "x"',
        "PRAGMA x",
    ],
)
def test_a_statement_that_reads_is_known(sql: str) -> None:
    assert not is_write(sql)


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_text("new"),
        lambda path: path.open("a").close(),
        lambda path: path.open("r+").close(),
        lambda path: path.unlink(),
        lambda path: path.rename(path.with_suffix(".new")),
        lambda path: rmtree(path.parent),
    ],
)
def test_a_change_of_a_file_is_reported(tmp_path: Path, change: Callable[[Path], None]) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    reported: list[str] = []

    with leaks_reported(reported.append):
        change(path)

    assert reported[0].startswith((f"changed the file {path}:", f"changed the file {path.parent}:"))


def test_reading_and_scratch_files_are_not_reported(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    reported: list[str] = []

    with leaks_reported(reported.append):
        path.read_text()
        with TemporaryFile(), NamedTemporaryFile(), TemporaryDirectory() as folder:
            Path(folder, "file").write_text("scratch")

    assert reported == []


def test_nothing_is_reported_afterwards(tmp_path: Path) -> None:
    reported: list[str] = []
    with leaks_reported(reported.append):
        pass

    (tmp_path / "file").write_text("new")

    assert reported == []


def test_what_a_thread_of_the_code_does_is_reported_and_what_older_threads_do_is_not(
    tmp_path: Path,
) -> None:
    reported: list[str] = []
    go_on, done = Event(), Event()
    older = Thread(target=lambda: (go_on.wait(), (tmp_path / "older").touch(), done.set()))
    older.start()

    with leaks_reported(reported.append):
        go_on.set()
        done.wait()
        newer = Thread(target=(tmp_path / "newer").touch)
        newer.start()
        newer.join()
    older.join()

    assert len(reported) == 1
    assert "newer" in reported[0]
