"""What if the disk with the files is full, or can only be read? A small one is put in its place."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.acceptance.chaos.hosts import run, small_disk
from tests.acceptance.chaos.scene import Scene
from tests.servers import send_signal

FILLER = "filler"
BLOCK_BYTES = 64 * 1024


class SmallDisk:
    """The disk that a scene keeps its files on, for as long as a fault lasts."""

    def __init__(self, scene: Scene, megabytes: int) -> None:
        self.scene = scene
        self.folder = scene.files_folder
        scene.made_links.enter_context(self._in_place(megabytes))
        scene.made_links.callback(self.heal)

    @contextlib.contextmanager
    def _in_place(self, megabytes: int) -> Iterator[None]:
        """Put the disk under the folder, with the files that are there; take it away again."""
        with contextlib.ExitStack() as mounted:
            with self._moved() as aside:
                mounted.enter_context(small_disk(self.folder, megabytes + megabytes_in(aside)))
            yield
            with self._moved():
                mounted.close()

    @contextlib.contextmanager
    def _moved(self) -> Iterator[Path]:
        """Take all files out of the folder and put them back, while nobody can look."""
        processes = [process.pid for process in self.scene.installation.processes.values()]
        self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="piston-files-") as aside:
            for process in processes:
                send_signal(process, signal.SIGSTOP)
            try:
                for path in self.folder.iterdir():
                    shutil.move(path, aside)
                yield Path(aside)
                for path in Path(aside).iterdir():
                    shutil.move(path, self.folder)
            finally:
                for process in processes:
                    send_signal(process, signal.SIGCONT)

    def fill(self) -> None:
        """Leave no room for another byte."""
        with contextlib.suppress(OSError), (self.folder / FILLER).open("ab", buffering=0) as file:
            while file.write(bytes(BLOCK_BYTES)):
                pass

    def protect(self) -> None:
        """Let nobody write."""
        run("mount", "-o", "remount,ro", str(self.folder))

    def heal(self) -> None:
        """Make room, and let everybody write."""
        run("mount", "-o", "remount,rw", str(self.folder))
        (self.folder / FILLER).unlink(missing_ok=True)


class SmallDataDisk:
    """The disk that holds the whole data folder of a scene: database, messages and files."""

    def __init__(self, scene: Scene, megabytes: int) -> None:
        self.scene = scene
        self.folder = scene.installation.folder / "data"
        self.mounted = contextlib.ExitStack()
        scene.kill(*scene.installation.processes)
        shrink_database(self.folder / "piston.sqlite3")
        size = megabytes + megabytes_in(self.folder)
        with self._moved():
            self.mounted.enter_context(small_disk(self.folder, size))
        scene.made_links.callback(self._take_away)
        scene.restore()

    @property
    def size_bytes(self) -> int:
        """How much it can hold, with what is on it."""
        return shutil.disk_usage(self.folder).total

    def _take_away(self) -> None:
        self.heal()
        with self._moved():
            self.mounted.close()

    @contextlib.contextmanager
    def _moved(self) -> Iterator[None]:
        """Take everything out of the folder and put it back, while nothing runs."""
        self.scene.kill(*self.scene.installation.processes)
        with tempfile.TemporaryDirectory(prefix="piston-data-") as aside:
            shutil.rmtree(self.folder / "reserve", ignore_errors=True)  # made again
            for path in self.folder.iterdir():
                shutil.move(path, aside)
            yield
            for path in Path(aside).iterdir():
                shutil.move(path, self.folder)

    def fill(self) -> None:
        """Leave no room for another byte, as another program would."""
        with contextlib.suppress(OSError), (self.folder / FILLER).open("ab", buffering=0) as file:
            while file.write(bytes(BLOCK_BYTES)):
                pass

    def heal(self) -> None:
        """Make room."""
        (self.folder / FILLER).unlink(missing_ok=True)


def shrink_database(path: Path) -> None:
    """Take out of a database and its log what might become room later."""
    with contextlib.closing(sqlite3.connect(path, timeout=60)) as database:
        database.execute("VACUUM")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def megabytes_in(folder: Path) -> int:
    """Return how much room the files in a folder take."""
    used = sum(path.stat().st_size + 4096 for path in folder.rglob("*"))
    return int(used // 2**20 + 1)
