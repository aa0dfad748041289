"""What is the answer to a client whose account has used up its quota?"""

from __future__ import annotations

import io
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tasks_app.models import Task, TaskCSV
from tests.integration.tasks_app.api.calls import GOOD_CSV, Caller, assert_error

WORDS = {
    "PISTON_MAX_TASKS_PER_ACCOUNT": (429, "tasks_per_account", "has as many tasks as it may have"),
    "PISTON_MAX_STORED_BYTES_PER_ACCOUNT": (413, "stored_bytes_per_account", "may not take more"),
}


@pytest.mark.parametrize("setting", WORDS)
def test_a_full_account_hears_which_limit_it_is_and_what_to_do(
    settings: Any, caller: Caller, setting: str
) -> None:
    status, limit, words = WORDS[setting]
    assert caller.put(GOOD_CSV).status_code == 201
    setattr(settings, setting, 1)

    answer = caller.put(GOOD_CSV)

    reason = answer.json()["data"]["reason"]
    said = {"message": "quota exceeded", "reason": reason, "limit": limit, "value": 1}
    assert_error(answer, status, "quota_exceeded", said)
    assert words in reason
    assert "remove tasks" in reason
    assert int(answer.headers["Retry-After"]) > 0


def test_a_length_beyond_the_room_is_refused_before_a_byte_is_read(
    settings: Any, caller: Caller
) -> None:
    settings.PISTON_MAX_STORED_BYTES_PER_ACCOUNT = 1000
    unread: dict[str, Any] = {"CONTENT_LENGTH": "1001", "wsgi.input": io.BytesIO()}

    answer = caller.send(f"{caller.tasks}?category=trial&action=check", "text/csv", **unread)

    assert (answer.status_code, answer.json()["message"]) == (413, "quota_exceeded")


def test_removing_a_task_makes_room(settings: Any, caller: Caller) -> None:
    settings.PISTON_MAX_TASKS_PER_ACCOUNT = 1
    task_id = caller.put(GOOD_CSV).json()["data"]["_read_only"]["id"]
    assert caller.put(GOOD_CSV).status_code == 429

    caller.call("DELETE", f"/{task_id}")

    assert caller.put(GOOD_CSV).status_code == 201


@pytest.mark.django_db(transaction=True)
def test_a_full_disk_is_answered_and_nothing_of_the_upload_stays(
    settings: Any, caller: Caller
) -> None:
    folder = Path(settings.STORAGES["default"]["OPTIONS"]["location"])
    before = sorted(path for path in folder.rglob("*") if path.is_file())
    room = 64 * 2**20  # bytes: the kernel allows no larger file

    with no_file_larger_than(room):
        answer = caller.put(b"name,do\n" + b"a,\n" * (room // 3))

    unavailable = {"message": "service unavailable"}
    assert_error(answer, 503, "service_unavailable", unavailable)
    assert int(answer.headers["Retry-After"]) > 0
    assert sorted(path for path in folder.rglob("*") if path.is_file()) == before
    assert not Task.objects.exists()
    assert not TaskCSV.objects.exists()


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """Let writes fail after this many bytes of a file, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
