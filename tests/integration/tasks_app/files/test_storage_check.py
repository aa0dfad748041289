"""Tests that the storage check finds the differences between storage and database."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from django.db import OperationalError

from tasks_app.files import storage, storage_check
from tasks_app.models import CSVName, TaskCSV
from tasks_app.models.clock import database_time
from tasks_app.upkeep import expiry
from tests import engine
from tests.broker import FakeBroker
from tests.servers import ObjectStorage, started

pytestmark = pytest.mark.django_db(transaction=True)
ROWS = ["name,do", "n0,", "n1,fail"]
FOREIGN = "ab/ab" + "0" * 28 + "-" + "1" * 16 + ".out.csv"
NOT_OURS = [
    "readme.txt", "ab/notes.csv", "zz/" + FOREIGN[3:], "cd/" + FOREIGN[3:],
    FOREIGN + ".bak", FOREIGN.replace("out", "unprocessed"), "ab/deep/" + FOREIGN[3:],
]  # fmt: skip


@pytest.fixture(scope="module")
def object_storage() -> Iterator[ObjectStorage]:
    with started(ObjectStorage) as server:
        yield server


@pytest.fixture(params=["folder", "S3"])
def place(request: pytest.FixtureRequest, settings: Any, tmp_path: Path) -> str:
    """Keep files in an empty folder, or in an emptied bucket."""
    kind: str = request.param
    if kind == "folder":
        backend = {**settings.STORAGES["default"]}
        backend["OPTIONS"] = {**backend["OPTIONS"], "location": str(tmp_path)}
    else:
        server: ObjectStorage = request.getfixturevalue("object_storage")
        backend = server.storage()
    settings.STORAGES = {**settings.STORAGES, "default": backend}
    if kind == "S3":
        storage.default_storage.bucket.objects.all().delete()  # type: ignore[attr-defined]
    return kind


def put(key: str, content: bytes = b"x\n") -> None:
    """Store a file without a row."""
    storage.default_storage.save(key, ContentFile(content))


def check(*options: str) -> tuple[int, str]:
    """Run the command; return its exit code and its output."""
    output = io.StringIO()
    try:
        call_command("check_storage", *options, stdout=output)
    except SystemExit as end:
        return int(end.code or 0), output.getvalue()
    return 0, output.getvalue()


def test_a_storage_that_agrees_with_the_database_is_reported_as_such(
    place: str, broker: FakeBroker
) -> None:
    engine.start(engine.submit("check", *ROWS))
    broker.deliver_all()

    assert check() == (0, "3 files with a row, 0 without one, 0 deleted; 0 rows without a file.\n")


def test_a_file_without_a_row_and_a_row_without_a_file_are_named(
    place: str, broker: FakeBroker
) -> None:
    task = engine.submit("check", *ROWS)
    (lost,) = task.csvs.all()
    storage.delete(lost.key)
    put(FOREIGN)

    code, output = check()

    assert code == 1
    assert f"without a row: {FOREIGN} (2 bytes, " in output
    assert f"without a file: {lost.key} of task {task.pk}\n" in output
    assert storage.exists(FOREIGN)


def test_only_files_without_a_row_are_deleted(place: str, broker: FakeBroker) -> None:
    task = engine.submit("check", *ROWS)
    for key in [FOREIGN, *NOT_OURS]:
        put(key)

    code, output = check("--delete")

    assert code == 0
    assert f"deleted: {FOREIGN}" in output
    assert not storage.exists(FOREIGN)
    assert all(storage.exists(key) for key in [*NOT_OURS, task.csvs.get().key])


def test_a_file_that_is_scheduled_for_deletion_is_named_and_can_be_deleted(
    place: str, broker: FakeBroker
) -> None:
    put(FOREIGN)
    storage_check.run_daily_check()

    before, after = check(), check("--delete")

    assert before[0] == 1
    assert f"without a row: {FOREIGN} (2 bytes, " in before[1]
    assert after[0] == 0
    assert not storage.exists(FOREIGN)


def test_a_full_disk_does_not_shorten_the_grace_period(broker: FakeBroker) -> None:
    put(FOREIGN)
    storage_check.run_daily_check()

    expiry.delete_bytes_first()

    assert storage.exists(FOREIGN)


def test_a_file_that_is_being_written_has_its_row(place: str, broker: FakeBroker) -> None:
    csv_file = storage.reserve("ab" * 15, CSVName.INPUT)
    storage.save(csv_file, io.BytesIO(b"name\nx\n"))

    assert check()[0] == 0


def test_the_daily_check_lets_the_sweeper_delete_files_after_the_grace_period(
    place: str, broker: FakeBroker
) -> None:
    for key in [FOREIGN, *NOT_OURS]:
        put(key)

    storage_check.run_daily_check()
    storage_check.run_daily_check()
    expiry.delete_orphaned_files()
    kept = storage.exists(FOREIGN)
    TaskCSV.objects.filter(key=FOREIGN).update(kept_until=database_time(-1))
    expiry.delete_orphaned_files()

    assert kept
    assert not storage.exists(FOREIGN)
    assert all(storage.exists(key) for key in NOT_OURS)
    assert not TaskCSV.objects.exists()


def test_the_database_of_another_storage_deletes_nothing_by_itself(
    place: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(storage_check, "MAX_BY_ITSELF", 2)
    for number in range(3):
        put(f"ab/ab{number:028}-{number:016}.in.csv")

    storage_check.run_daily_check()

    assert not TaskCSV.objects.exists()
    assert "is it the right database?" in caplog.text


def test_a_row_without_a_file_is_logged_and_kept(
    broker: FakeBroker, caplog: pytest.LogCaptureFixture
) -> None:
    (lost,) = engine.submit("check", *ROWS).csvs.all()
    storage.delete(lost.key)

    storage_check.run_daily_check()

    assert f"Tasks have 1 file that the storage has not, such as: {lost.key}" in caplog.text
    assert TaskCSV.objects.filter(key=lost.key).exists()


def test_a_file_that_is_stored_while_its_folder_is_listed_is_no_loss(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    list_files = storage.list_files

    def list_too_early(folder: str) -> Iterator[storage.StoredFile]:
        listed = list(list_files(folder))
        if not TaskCSV.objects.exists():
            engine.submit("check", *ROWS)
        return iter(listed)

    monkeypatch.setattr(storage, "list_files", list_too_early)

    assert not any(difference.without_file for difference in storage_check.compare_all())


def test_a_link_is_not_followed_and_not_deleted(settings: Any, tmp_path: Path) -> None:
    outside = tmp_path / "outside.csv"
    outside.write_text("x")
    folder = Path(storage.default_storage.path("ab"))
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / FOREIGN[3:]).symlink_to(outside)

    assert check("--delete")[0] == 0
    assert outside.exists()
    assert (folder / FOREIGN[3:]).is_symlink()


def test_for_a_database_without_tables_the_error_asks_for_a_migration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def compare_all() -> None:
        raise OperationalError("no such table: tasks_app_taskcsv")

    monkeypatch.setattr(storage_check, "compare_all", compare_all)

    with pytest.raises(CommandError, match=r"no such table.*manage.py migrate"):
        call_command("check_storage")


def test_an_outage_of_the_storage_has_its_own_exit_code(settings: Any) -> None:
    options = {"bucket_name": "x", "endpoint_url": "http://127.0.0.1:9", "access_key": "a"}
    backend = {
        "BACKEND": "piston.storages.s3.CheckedS3Storage",
        "OPTIONS": options | {"secret_key": "b"},
    }
    settings.STORAGES = {**settings.STORAGES, "default": backend}

    with pytest.raises(CommandError) as caught:
        check()

    assert caught.value.returncode == 2
