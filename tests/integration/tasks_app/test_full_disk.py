"""Which tasks wait while the disk is full, and which continue?"""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path
from typing import Any, NoReturn

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import OperationalError, connection
from django.test import Client

from categories import registry
from piston import disk_reserve
from piston.accounts import signing_in
from piston.database.sqlite import base
from piston.database.sqlite.shrinking import shrink_database
from piston.storages import folder
from tasks_app import creating, lifecycle
from tasks_app.errors import StorageFull
from tasks_app.execution import assembly
from tasks_app.models import Segment, Task, TaskCSV
from tasks_app.models.clock import database_time
from tasks_app.upkeep import expiry, sweeping
from tests import engine
from tests.broker import FakeBroker

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.sqlite,
]
ROWS = ["name,do", "n0,", "n1,fail", "n2,"]
PLENTY = 2**40


class Disk:
    """The free space of the disk, set by tests."""

    free_bytes = PLENTY

    def free(self) -> tuple[int, int]:
        return self.free_bytes, PLENTY

    def fill(self) -> None:
        self.free_bytes = disk_reserve.LOW_BYTES

    def heal(self) -> None:
        self.free_bytes = PLENTY


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    made = Disk()
    monkeypatch.setattr(disk_reserve, "free", made.free)
    return made


def stored_files(settings: Any) -> set[Path]:
    return {path for path in (settings.PISTON_DATA_DIR / "files").rglob("*") if path.is_file()}


def test_an_upload_is_refused_with_the_reason_and_leaves_nothing(disk: Disk, settings: Any) -> None:
    before = stored_files(settings)
    disk.fill()

    with pytest.raises(StorageFull, match="too little room on the disk"):
        engine.submit("check", *ROWS)

    assert stored_files(settings) == before
    assert not TaskCSV.objects.exists()


def test_an_upload_ends_where_it_would_eat_the_reserve(disk: Disk, settings: Any) -> None:
    account_order, read = order(), []
    before = stored_files(settings)

    class Endless:
        def read(self, size: int = -1, /) -> bytes:
            read.append(size)
            disk.free_bytes -= 100 * 2**30
            return b"name,do\n" if len(read) == 1 else b"n,\n" * (size // 3)

    with pytest.raises(StorageFull):
        creating.submit_csv(account_order, Endless())

    assert stored_files(settings) == before


def order() -> creating.Order:
    task = engine.submit("check", *ROWS)
    category, action = registry.get_action("trial", "check")
    return creating.Order(task.account, task.account, category, action, engine.TESTER)


def test_the_bytes_of_an_upload_go_although_the_database_cannot_be_written(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = stored_files(settings)

    def store(_action: Any, csv_file: TaskCSV, _body: Any) -> None:
        default_storage.save(csv_file.key, ContentFile(b"name,do\nn0,\n"))

    def refuse(*_: Any) -> NoReturn:
        raise OperationalError("database or disk is full")

    monkeypatch.setattr(creating, "create_with_input", refuse)
    monkeypatch.setattr(creating.TaskCSV.objects, "unfinished", refuse)
    monkeypatch.setattr(creating, "store_and_scan", store)
    with pytest.raises(OperationalError):
        engine.submit("check", *ROWS)

    assert stored_files(settings) == before
    assert TaskCSV.objects.get().task is None  # for the sweeper


def test_rows_wait_without_a_claim_and_go_on_when_there_is_room(
    disk: Disk, broker: FakeBroker
) -> None:
    task = engine.start(engine.submit("check", *ROWS))
    disk.fill()

    for _ in range(40):
        broker.deliver_all()
        Task.objects.exclude(dispatched_at=None).update(dispatched_at=database_time(-60))
        sweeping.sweep()
    waiting = engine.fresh(task), Segment.objects.get(), list(broker.queue)
    disk.heal()
    sweeping.sweep()
    broker.deliver_all()

    assert (waiting[0].status, waiting[0].success_count) == ("executing", 0)
    assert (waiting[1].claim, waiting[1].idle_claims) == (0, 0)
    assert waiting[2] == []  # no worker is woken without work
    assert engine.fresh(task).status == "partial"


def test_a_batch_whose_output_has_no_room_is_rolled_back_and_blames_no_row(
    disk: Disk, broker: FakeBroker
) -> None:
    task = engine.start(engine.submit("swell", *ROWS))  # a hundred thousand bytes a row
    disk.free_bytes = 2 * disk_reserve.LOW_BYTES + 100_000

    broker.deliver_all()
    waiting = engine.fresh(task), Segment.objects.get()
    disk.heal()
    sweeping.sweep()
    broker.deliver_all()

    assert (waiting[0].success_count, waiting[0].failure_count) == (0, 0)
    assert (waiting[1].idle_claims, waiting[1].claimed_until) == (0, None)
    assert engine.fresh(task).success_count == 3


def test_rows_that_fit_one_by_one_are_done_one_by_one(disk: Disk, broker: FakeBroker) -> None:
    task = engine.start(engine.submit("swell", *ROWS))
    disk.free_bytes = 2 * disk_reserve.LOW_BYTES + 300_000  # for the output of one row

    for _ in range(5):
        broker.deliver_all()
        sweeping.repeat_message(engine.fresh(task))

    assert engine.fresh(task).success_count == 3


def test_an_output_waits_and_leaves_no_half_a_file(
    disk: Disk, broker: FakeBroker, settings: Any
) -> None:
    task = engine.start(engine.submit("check", *ROWS))
    while Task.objects.filter(pk=task.pk, ending=None).exists():
        broker.deliver()
    before = stored_files(settings)
    disk.fill()

    assembly.assemble(task.pk)
    waiting = engine.fresh(task).status, stored_files(settings)
    disk.heal()
    assembly.assemble(task.pk)

    assert waiting == ("executing", before)
    assert engine.fresh(task).status == "partial"


def test_the_bytes_of_removed_tasks_go_before_anything_is_written(
    disk: Disk, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = stored_files(settings)
    task = engine.submit("check", *ROWS)
    lifecycle.remove(task, engine.TESTER)
    disk.fill()

    def refuse(_task: Task) -> None:
        raise OperationalError("database or disk is full")

    monkeypatch.setattr(expiry, "purge", refuse)
    sweeping.sweep()

    assert stored_files(settings) == before


def test_the_database_becomes_smaller_once_the_disk_has_little_room(disk: Disk) -> None:
    file = Path(connection.settings_dict["NAME"])
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE much AS SELECT randomblob(4000000) AS bytes")
        cursor.execute("DROP TABLE much")
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    large = file.stat().st_size

    shrink_database()
    with_room = file.stat().st_size
    disk.free_bytes = 12_000_000
    shrink_database()

    assert with_room == large
    assert file.stat().st_size <= large - 3_900_000


def test_a_full_disk_is_told_in_the_envelope_and_on_the_pages_of_the_admin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    full = OperationalError("database or disk is full")
    full.__cause__ = sqlite3.OperationalError("database or disk is full")
    full.__cause__.sqlite_errorcode = sqlite3.SQLITE_FULL

    def refuse(*_: Any, **__: Any) -> None:
        raise full

    monkeypatch.setattr(signing_in, "hash_secret", refuse)
    monkeypatch.setattr("django.contrib.auth.authenticate", refuse)
    monkeypatch.setattr("django.contrib.auth.forms.authenticate", refuse)
    client = Client(raise_request_exception=False)

    told = client.put("/v2/api_auth", {"data": {"api_key": "x"}}, content_type="application/json")
    page = client.post("/admin/login/", {"username": "a", "password": "b"})

    assert (told.status_code, told.json()["message"]) == (507, "insufficient_storage")
    assert "too little room on the disk" in told.json()["data"]["reason"]
    assert int(told.headers["Retry-After"]) > 0
    assert page.status_code == 507
    assert b"too little room on the disk" in page.content


@pytest.mark.parametrize(("is_exhausted", "status"), [(True, 503), (False, 200)])
def test_health_is_bad_once_people_cannot_act(
    is_exhausted: bool, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_reserve, "is_exhausted", lambda: is_exhausted)

    answer = Client().get("/healthz")

    assert answer.status_code == status
    assert answer.json()["database"] == ("full" if is_exhausted else "ok")


def test_a_database_that_cannot_be_opened_for_want_of_room_gets_some(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attempts: list[str] = []
    noted: list[BaseException] = []
    usual = base.base.DatabaseWrapper.get_new_connection

    def open_with_trouble(self: Any, parameters: Any) -> Any:
        attempts.append("open")
        if len(attempts) == 1:
            raise sqlite3.OperationalError("disk I/O error")
        return usual(self, parameters)

    monkeypatch.setattr(base.base.DatabaseWrapper, "get_new_connection", open_with_trouble)
    monkeypatch.setattr(disk_reserve, "note", lambda error: noted.append(error) or True)
    connection.close()

    assert not Task.objects.exists()

    assert len(attempts) == 2
    assert str(noted[0]) == "disk I/O error"


def test_bytes_of_a_failed_write_are_deleted(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = stored_files(settings)
    monkeypatch.setattr(folder, "sync", fail)

    with pytest.raises(OSError, match="No space left"):
        default_storage.save("ab/half.csv", ContentFile(b"half"))

    assert stored_files(settings) == before
