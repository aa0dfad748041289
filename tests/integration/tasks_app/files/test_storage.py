"""Tests that a folder and object storage store, read and delete files in the same way."""

from __future__ import annotations

import errno
import io
import os
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from django.core.files.base import ContentFile
from django.db import connections
from django.db.models.functions import Now

from tasks_app.csv_files import blocks
from tasks_app.errors import StorageUnavailable, StoredFileChanged, StoredFileMissing
from tasks_app.files import heartbeat, storage, storage_check
from tasks_app.models import CSVName, TaskCSV
from tests.factories import TaskFactory
from tests.servers import ObjectStorage, started

pytestmark = pytest.mark.django_db
CONTENT = b"0123456789" * 100_000


@pytest.fixture(scope="module")
def object_storage() -> Iterator[ObjectStorage]:
    with started(ObjectStorage) as server:
        yield server


@pytest.fixture(params=["folder", "S3"])
def backend(request: pytest.FixtureRequest, settings: Any) -> str:
    """Keep files in a folder, or on an S3 server."""
    if request.param == "S3":
        server: ObjectStorage = request.getfixturevalue("object_storage")
        backend = server.storage()
        settings.STORAGES = {**settings.STORAGES, "default": backend}
    kind: str = request.param
    return kind


def store(content: bytes = CONTENT) -> TaskCSV:
    csv_file = storage.reserve("ab" * 15, CSVName.OUTPUT)
    storage.save(csv_file, io.BytesIO(content))
    return csv_file


def overwrite(csv_file: TaskCSV, content: bytes) -> None:
    """Replace the file's bytes with others."""
    storage.delete(csv_file.key)
    storage.default_storage.save(csv_file.key, ContentFile(content))


def test_a_stored_file_knows_its_size_and_digest(backend: str) -> None:
    csv_file = store(b"abc")

    assert csv_file.size_bytes == 3
    assert csv_file.sha256.startswith("ba7816bf")


@pytest.mark.parametrize(
    ("start", "end"), [(0, len(CONTENT)), (5, 17), (999_990, 1_000_000), (7, 7)]
)
def test_any_range_can_be_read(backend: str, start: int, end: int) -> None:
    csv_file = store()

    assert b"".join(storage.read_range(csv_file, start, end)) == CONTENT[start:end]


def test_a_deleted_file_is_missing_and_deleting_it_again_is_no_error(backend: str) -> None:
    csv_file = store()

    storage.delete(csv_file.key)
    storage.delete(csv_file.key)

    with pytest.raises(StoredFileMissing):
        storage.open_range(csv_file, 0, 10)


def test_a_folder_instead_of_a_file_is_a_missing_file() -> None:
    csv_file = store()
    storage.delete(csv_file.key)
    Path(storage.default_storage.path(csv_file.key)).mkdir()

    with pytest.raises(StoredFileMissing):
        storage.open_range(csv_file, 0, 10)


def test_a_pipe_instead_of_a_file_does_not_block() -> None:
    csv_file = store()
    storage.delete(csv_file.key)
    os.mkfifo(storage.default_storage.path(csv_file.key))

    with pytest.raises(StoredFileMissing):
        storage.open_range(csv_file, 0, 10)


def test_a_source_may_return_less_than_it_is_asked_for(backend: str) -> None:
    class Trickle(io.BytesIO):
        """Returns a thousand bytes at most."""

        def read(self, size: int | None = -1) -> bytes:
            return super().read(1000)

    csv_file = storage.reserve("ab" * 15, CSVName.OUTPUT)

    storage.save(csv_file, Trickle(CONTENT))

    assert csv_file.size_bytes == len(CONTENT)
    assert b"".join(storage.read_range(csv_file, 0, len(CONTENT))) == CONTENT


def test_a_source_that_breaks_off_leaves_no_object_and_its_error_is_passed_on(backend: str) -> None:
    class Broken:
        """Yields one block and breaks."""

        blocks = [b"x" * 10_000_000]

        def read(self, size: int = -1) -> bytes:
            if not self.blocks:
                raise ZeroDivisionError
            block, self.blocks[0] = self.blocks[0][:size], self.blocks[0][size:]
            if not self.blocks[0]:
                self.blocks.clear()
            return block

    csv_file = storage.reserve("cd" * 15, CSVName.INPUT)

    with pytest.raises(ZeroDivisionError):
        storage.save(csv_file, Broken())

    storage.delete(csv_file.key)
    assert not storage.default_storage.exists(csv_file.key)


@pytest.mark.django_db(transaction=True)
def test_a_file_is_kept_alive_while_the_storage_lets_its_writer_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    csv_file = storage.reserve("ef" * 15, CSVName.OUTPUT)
    TaskCSV.objects.update(kept_until=Now())
    is_alive = threading.Event()
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.01)

    save = storage.default_storage.save

    def save_slowly(key: str, content: Any) -> str:
        assert is_alive.wait(30)
        return save(key, content)

    monkeypatch.setattr(storage.default_storage, "save", save_slowly)

    storage.save(csv_file, io.BytesIO(CONTENT), while_storing=is_alive.set)

    assert not TaskCSV.objects.orphaned().exists()


@pytest.mark.django_db(transaction=True)
def test_all_files_that_are_being_stored_are_kept_alive_by_one_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    csv_files = [storage.reserve(f"{number:030}", CSVName.INPUT) for number in range(4)]
    TaskCSV.objects.update(kept_until=Now())
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.01)
    all_are_alive = threading.Barrier(len(csv_files) + 1)

    save = storage.default_storage.save

    def save_slowly(key: str, content: Any) -> str:
        all_are_alive.wait(30)
        return save(key, content)

    def store_one(csv_file: TaskCSV) -> None:
        storage.save(csv_file, io.BytesIO(CONTENT), while_storing=alive[csv_file.pk].set)
        connections.close_all()

    alive = {csv_file.pk: threading.Event() for csv_file in csv_files}
    monkeypatch.setattr(storage.default_storage, "save", save_slowly)
    with ThreadPoolExecutor(len(csv_files)) as pool:
        saved = [pool.submit(store_one, csv_file) for csv_file in csv_files]
        assert all(event.wait(30) for event in alive.values())
        keepers = [thread for thread in threading.enumerate() if thread.name == "heartbeat"]
        all_are_alive.wait(30)
        for each in saved:
            each.result()

    assert len(keepers) == 1
    assert not TaskCSV.objects.orphaned().exists()


def test_a_file_that_is_shorter_than_recorded_is_an_error_and_not_a_short_answer(
    backend: str,
) -> None:
    csv_file = store(b"abc")
    is_certain = backend == "folder"  # object storage reports the old ETag

    with pytest.raises(StoredFileMissing if is_certain else StorageUnavailable):
        list(storage.read_range(csv_file, 0, 10))


@pytest.mark.parametrize("place", [0, 262_143, 262_144, 600_000, 999_999])
def test_no_block_with_an_edited_byte_is_handed_out(backend: str, place: int) -> None:
    csv_file = store()
    overwrite(csv_file, CONTENT[:place] + b"!" + CONTENT[place + 1 :])
    got = []

    with pytest.raises(StoredFileChanged) as raised:
        got += storage.read_range(csv_file, 0, len(CONTENT))

    unit = blocks.FIRST_BLOCK_BYTES
    assert raised.value.start == place // unit * unit
    assert CONTENT.startswith(b"".join(got))
    assert TaskCSV.objects.get(pk=csv_file.pk).faulty_at == raised.value.start


def test_bytes_before_and_after_the_block_with_an_edited_byte_are_handed_out(backend: str) -> None:
    csv_file = store()
    overwrite(csv_file, CONTENT[:300_000] + b"!" + CONTENT[300_001:])

    assert b"".join(storage.read_range(csv_file, 5, 262_144)) == CONTENT[5:262_144]
    assert b"".join(storage.read_range(csv_file, 524_288, 900_000)) == CONTENT[524_288:900_000]
    with pytest.raises(StoredFileChanged):
        list(storage.read_range(csv_file, 400_000, 400_001))


@pytest.mark.parametrize("content", [CONTENT[:-1], CONTENT + b"0", CONTENT[:10], b""])
def test_a_file_of_another_size_is_another_file_wherever_it_is_read(
    backend: str, content: bytes
) -> None:
    csv_file = store()
    overwrite(csv_file, content)

    for start, end in ((0, 5), (500_000, 500_010), (999_995, 1_000_000)):
        with pytest.raises(StoredFileChanged):
            storage.open_range(csv_file, start, end)


def test_a_file_that_is_restored_is_no_longer_faulty(backend: str) -> None:
    csv_file = store()
    overwrite(csv_file, CONTENT[:300_000] + b"!" + CONTENT[300_001:])
    with pytest.raises(StoredFileChanged):
        list(storage.read_range(csv_file, 0, len(CONTENT)))

    storage.recheck(csv_file)
    still = TaskCSV.objects.get(pk=csv_file.pk).faulty_at
    overwrite(csv_file, CONTENT)
    storage.recheck(csv_file)

    assert still == 262_144
    assert TaskCSV.objects.get(pk=csv_file.pk).faulty_at is None


def test_a_file_of_an_older_release_has_no_checksums_and_is_read_as_it_is(backend: str) -> None:
    csv_file = store()
    csv_file.block_bytes = csv_file.checksums = None

    assert b"".join(storage.read_range(csv_file, 7, 700_000)) == CONTENT[7:700_000]


def test_an_outage_of_the_storage_differs_from_a_missing_file(settings: Any) -> None:
    backend = {
        "BACKEND": "piston.storages.s3.CheckedS3Storage",
        "OPTIONS": {
            "bucket_name": "piston",
            "endpoint_url": "http://127.0.0.1:9",
            "access_key": "tests",
            "secret_key": "tests",
            "client_config": Config(connect_timeout=1, retries={"max_attempts": 0}),
        },
    }
    settings.STORAGES = {**settings.STORAGES, "default": backend}

    with pytest.raises(StorageUnavailable):
        storage.open_range(TaskCSV(key="a-key", size_bytes=10), 0, 10)


def test_a_read_that_fails_midway_is_an_outage_of_the_storage(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing(io.BytesIO):
        """A file on a disk that is broken."""

        def read(self, size: int | None = -1) -> bytes:
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(storage, "open_range", lambda *_: Failing())

    with pytest.raises(StorageUnavailable, match="Input/output error"):
        list(storage.read_range(TaskCSV(key="a-key", size_bytes=10), 0, 10))


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENOENT])
def test_any_failure_to_write_a_file_is_an_outage_of_the_storage(
    fault: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> str:
        raise OSError(fault, os.strerror(fault))

    monkeypatch.setattr(storage.default_storage, "save", refuse, raising=False)
    csv_file = storage.reserve("ab" * 15, CSVName.INPUT)

    with pytest.raises(StorageUnavailable):
        storage.save(csv_file, io.BytesIO(CONTENT))


# ---- The folder's disk is not mounted ------------------------------------------------------------


@pytest.fixture(params=["nothing there", "an empty folder", "lost+found"])
def unmounted(request: pytest.FixtureRequest, settings: Any, tmp_path: Path) -> Disk:
    """Yield the disk with a file of a task; it can be unmounted, and mounted again."""
    backend = {**settings.STORAGES["default"]}
    backend["OPTIONS"] = {**backend["OPTIONS"], "location": str(tmp_path / "files")}
    settings.STORAGES = {**settings.STORAGES, "default": backend}
    csv_file = store()
    TaskCSV.objects.filter(pk=csv_file.pk).update(task=TaskFactory.create(), kept_until=None)
    return Disk(tmp_path / "files", request.param, csv_file)


@dataclass
class Disk:
    """A folder that stands for a disk."""

    place: Path
    looks: str
    csv_file: TaskCSV

    def take_away(self) -> None:
        self.place.rename(self.place.with_name("elsewhere"))
        if self.looks != "nothing there":
            self.place.mkdir()
        if self.looks == "lost+found":
            (self.place / "lost+found").mkdir()

    def put_back(self) -> None:
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.with_name("elsewhere").rename(self.place)


def test_no_file_of_an_unmounted_disk_counts_as_missing(unmounted: Disk) -> None:
    csv_file = unmounted.csv_file

    unmounted.take_away()
    for act in (lambda: storage.open_range(csv_file), lambda: storage.exists(csv_file.key)):
        with pytest.raises(StorageUnavailable, match="is its disk mounted"):
            act()
    unmounted.put_back()

    assert b"".join(storage.read_range(csv_file, 0, 10)) == CONTENT[:10]
    assert TaskCSV.objects.get(pk=csv_file.pk).faulty_at is None


def test_nothing_is_stored_at_the_mount_point_of_an_unmounted_disk(unmounted: Disk) -> None:
    unmounted.take_away()

    for _ in range(2):
        with pytest.raises(StorageUnavailable, match="is its disk mounted"):
            store()


def test_no_file_of_an_unmounted_disk_is_deleted(unmounted: Disk) -> None:
    unmounted.take_away()
    with pytest.raises(StorageUnavailable, match="is its disk mounted"):
        storage.delete(unmounted.csv_file.key)
    unmounted.put_back()

    assert storage.exists(unmounted.csv_file.key)


def test_the_storage_check_reports_no_lost_files_for_an_unmounted_disk(unmounted: Disk) -> None:
    unmounted.take_away()

    with pytest.raises(StorageUnavailable, match="is its disk mounted"):
        storage_check.compare(unmounted.csv_file.key[:2])


def test_after_files_are_lost_for_good_new_ones_can_be_stored(unmounted: Disk) -> None:
    unmounted.take_away()
    (unmounted.place / "00").mkdir(parents=True)

    with pytest.raises(StoredFileMissing):
        storage.open_range(unmounted.csv_file)
    assert storage.exists(store().key)


@pytest.fixture
def three_tasks(object_storage: ObjectStorage, settings: Any) -> list[TaskCSV]:
    """Return the files of three tasks; the bucket has lost two of them."""
    settings.STORAGES = {**settings.STORAGES, "default": object_storage.storage()}
    csv_files = [store() for _ in range(3)]
    for csv_file in csv_files:
        csv_file.task = TaskFactory.create()
        csv_file.save()
    for csv_file in csv_files[1:]:
        storage.delete(csv_file.key)
    return csv_files


def test_a_file_is_missing_where_one_that_was_stored_before_it_is_there(
    three_tasks: list[TaskCSV],
) -> None:
    for csv_file in three_tasks[1:]:
        with pytest.raises(StoredFileMissing):
            storage.open_range(csv_file)


@pytest.mark.parametrize("stored_before", [1, 0])
def test_no_file_is_missing_from_a_bucket_that_has_none_of_those_near_it(
    stored_before: int, three_tasks: list[TaskCSV]
) -> None:
    storage.delete(three_tasks[0].key)

    with pytest.raises(StorageUnavailable, match="is it a copy that is empty or behind"):
        storage.open_range(three_tasks[stored_before])

    assert not TaskCSV.objects.exclude(faulty_at=None).exists()


def test_a_file_that_was_stored_later_does_not_prove_the_bucket(three_tasks: list[TaskCSV]) -> None:
    storage.delete(three_tasks[0].key)
    storage.default_storage.save(three_tasks[2].key, ContentFile(CONTENT))  # into the copy

    with pytest.raises(StorageUnavailable, match="is it a copy that is empty or behind"):
        storage.open_range(three_tasks[1])


def test_an_operator_can_declare_all_files_lost(three_tasks: list[TaskCSV]) -> None:
    storage.delete(three_tasks[0].key)
    storage.default_storage.save(storage.LOST, ContentFile(b""))

    with pytest.raises(StoredFileMissing):
        storage.open_range(three_tasks[1])
    storage.delete(storage.LOST)
