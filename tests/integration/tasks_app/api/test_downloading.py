import hashlib
from typing import Any
from unittest.mock import Mock
from urllib.parse import quote

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from tasks_app.csv_files.blocks import ChecksumWriter, pack
from tasks_app.errors import StorageUnavailable
from tasks_app.execution import assembly
from tasks_app.files import recording, storage, task_files
from tasks_app.models import CSVName, Part, Task, TaskCSV, TaskEvent
from tasks_app.states import TaskStatus
from tests.factories import PartFactory, SegmentFactory, TaskCSVFactory, TaskFactory
from tests.integration.tasks_app.api.calls import (
    GOOD_CSV,
    MISSING_ID,
    Caller,
    assert_error,
    assert_faulty,
    cause,
)

CSV = "text/csv"
OUTPUT = b"name,do,seen,error\nAda,,ADA,\nBob,fail,,told to fail\n"
SIZE = len(OUTPUT)


@pytest.fixture
def task(caller: Caller) -> Task:
    """A task with an input and an output."""
    ended: Task = TaskFactory.create(
        account=caller.account, category="trial", action="check", status=TaskStatus.PARTIAL
    )
    TaskCSVFactory.create(task=ended, name=CSVName.INPUT, content=GOOD_CSV)
    TaskCSVFactory.create(task=ended, name=CSVName.OUTPUT, content=OUTPUT)
    return ended


def put_in_place(task: Task, name: str, other: bytes) -> None:
    """Replace the bytes of one of the task's files."""
    key = TaskCSV.objects.get(task=task, name=name).key
    default_storage.delete(key)
    default_storage.save(key, ContentFile(other))


def content(response: Any) -> bytes:
    return response.getvalue() if response.streaming else response.content


def downloaded(task: Task) -> list[str]:
    """Return the names of downloaded files in the events."""
    events = TaskEvent.objects.filter(task_id=task.pk, kind="downloaded")
    return [event.detail["name"] for event in events]


# ---- Ways to ask ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "accept", "expected"),
    [
        ("", CSV, OUTPUT),
        ("", "text/comma-separated-values", OUTPUT),
        ("", "application/octet-stream", OUTPUT),
        ("", "application/json;q=0.5, text/csv", OUTPUT),
        ("", "application/json;q=0.1, text/*;q=0.2", OUTPUT),
        ("?accept=csv", "*/*", OUTPUT),
        ("?accept=text/csv", "application/json", OUTPUT),
        ("?accept=csv&csv_name=in.csv", "*/*", GOOD_CSV),
        ("?csv_name=in.csv", CSV, GOOD_CSV),
        ("?csv_name=out.csv", CSV, OUTPUT),
        ("?csv_name=in.csv", "*/*", GOOD_CSV),
        ("?csv_name=in.csv", "text/html,application/xml;q=0.9,*/*;q=0.8", GOOD_CSV),
        ("/input", "*/*", GOOD_CSV),
        ("/output", "*/*", OUTPUT),
        ("/output/", "application/json", OUTPUT),
        ("/input", "*/*;q=0", GOOD_CSV),
    ],
)
def test_these_calls_answer_csv(
    caller: Caller, task: Task, path: str, accept: str, expected: bytes
) -> None:
    response = caller.get(f"/{task.pk}{path}", accept=accept)

    assert response.status_code == 200
    assert response.headers["Content-Type"] == CSV
    assert content(response) == expected
    assert response.headers["Content-Length"] == str(len(expected))


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("", "*/*"),
        ("", "application/json"),
        ("", "text/html"),
        ("", "text/csv;q=0.5, application/json"),
        ("", "application/json, text/csv"),
        ("?csv_name=in.csv", "application/json"),
        ("?csv_name=in.csv", "application/json, */*;q=0.1"),
        ("?accept=json", CSV),
    ],
)
def test_these_calls_answer_json(caller: Caller, task: Task, path: str, accept: str) -> None:
    response = caller.get(f"/{task.pk}{path}", accept=accept)

    assert response.headers["Content-Type"] == "application/json"
    assert response.json()["data"]["_read_only"]["id"] == task.pk


def test_the_answer_depends_on_accept(caller: Caller, task: Task) -> None:
    for accept in (CSV, "application/json"):
        assert "Accept" in caller.get(f"/{task.pk}", accept=accept).headers["Vary"]


def test_who_excludes_every_format_gets_406(caller: Caller, task: Task) -> None:
    response = caller.get(f"/{task.pk}", accept="*/*;q=0")

    assert_error(response, 406, "not_acceptable", {"message": "not acceptable"})


def test_a_file_is_saved_under_a_name_of_its_own(caller: Caller, task: Task) -> None:
    for name in ("in", "out"):
        response = caller.get(f"/{task.pk}?csv_name={name}.csv", accept=CSV)

        assert response.headers["Content-Disposition"] == (
            f'attachment; filename="trial_check_{task.pk}_{name}.csv"'
        )


# ---- What is not there ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["?accept=csv", "?accept=csv&csv_name=in.csv", "/input", "/output"]
)
@pytest.mark.parametrize("task_id", [MISSING_ID, "x", "%00"])
def test_the_file_of_a_missing_task(caller: Caller, path: str, task_id: str) -> None:
    response = caller.get(f"/{task_id}{path}", accept=CSV)

    assert response.status_code == 404
    assert response.json()["message"] == "bad_identifier"
    assert response.json()["data"].keys() == {"cause", "message"}


@pytest.mark.parametrize(
    "name",
    ["failed.csv", "unprocessed.csv", "in", "", "IN.CSV", "../in.csv", "../../etc/passwd", "a\0b"],
)
def test_a_file_that_the_task_has_not(caller: Caller, task: Task, name: str) -> None:
    response = caller.get(f"/{task.pk}?csv_name={quote(name)}", accept=CSV)

    assert_error(response, 404, "bad_identifier", cause(task.pk))


@pytest.mark.parametrize("path", ["/input", "/output"])
def test_a_task_without_input_has_neither_file_yet(caller: Caller, path: str) -> None:
    task = TaskFactory.create(account=caller.account, total_count=None)

    assert_error(caller.get(f"/{task.pk}{path}"), 404, "bad_identifier", cause(task.pk))


def test_a_file_that_is_gone_from_storage_is_missing_and_logged(
    caller: Caller, task: Task, caplog: pytest.LogCaptureFixture
) -> None:
    default_storage.delete(TaskCSV.objects.get(task=task, name="out.csv").key)

    assert_error(caller.get(f"/{task.pk}/output"), 404, "bad_identifier", cause(task.pk))
    assert "is not in storage" in caplog.text
    assert downloaded(task) == []


@pytest.mark.parametrize("other", [OUTPUT[:10], OUTPUT + b"more\n", b""])
def test_a_file_of_another_size_is_not_sent_and_not_offered_any_more(
    caller: Caller, task: Task, other: bytes
) -> None:
    put_in_place(task, "out.csv", other)

    assert_error(caller.get(f"/{task.pk}/output"), 404, "bad_identifier", cause(task.pk))
    assert caller.get(f"/{task.pk}").json()["data"]["_read_only"]["csvs"] == ["in.csv"]
    assert downloaded(task) == []


def test_a_file_that_is_back_is_sent_and_offered_again(caller: Caller, task: Task) -> None:
    put_in_place(task, "out.csv", b"")
    caller.get(f"/{task.pk}/output")
    put_in_place(task, "out.csv", OUTPUT)

    assert content(caller.get(f"/{task.pk}/output")) == OUTPUT
    assert "out.csv" in caller.get(f"/{task.pk}").json()["data"]["_read_only"]["csvs"]


def test_bytes_that_were_edited_in_place_are_not_sent(caller: Caller, task: Task) -> None:
    csv_file = task.csvs.get(name="in.csv")
    checksums = ChecksumWriter()
    checksums.update(GOOD_CSV)
    csv_file.block_bytes = checksums.close().block_bytes
    csv_file.checksums = pack(checksums.close().values, "I")
    csv_file.save()
    put_in_place(task, "in.csv", GOOD_CSV[:-2] + b"X\n")

    assert_error(caller.get(f"/{task.pk}/input"), 404, "bad_identifier", cause(task.pk))
    assert_error(caller.get(f"/{task.pk}/input"), 404, "bad_identifier", cause(task.pk))


def test_unprocessed_rows_are_not_offered_of_an_input_that_is_gone(
    caller: Caller, task: Task
) -> None:
    SegmentFactory.create(task=task, end_row=1, end_offset=len(GOOD_CSV), cursor_offset=5)
    Task.objects.filter(pk=task.pk).update(failure_count=0)
    default_storage.delete(task.csvs.get(name="in.csv").key)
    before = caller.get(f"/{task.pk}").json()["data"]["_read_only"]["csvs"]

    response = caller.get(f"/{task.pk}?csv_name=unprocessed.csv", accept=CSV)

    assert_error(response, 404, "bad_identifier", cause(task.pk))
    assert before == ["in.csv", "out.csv", "unprocessed.csv"]
    assert caller.get(f"/{task.pk}").json()["data"]["_read_only"]["csvs"] == ["out.csv"]


def test_storage_that_is_away_is_worth_another_try(
    caller: Caller, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise StorageUnavailable

    monkeypatch.setattr(storage, "open_range", fail)

    response = caller.get(f"/{task.pk}/output")

    assert response.status_code == 503
    assert "Retry-After" in response.headers


# ---- Having it already ---------------------------------------------------------------------------


def test_the_validator_is_strong_and_that_of_the_bytes(caller: Caller, task: Task) -> None:
    response = caller.get(f"/{task.pk}/output")

    assert response.headers["ETag"] == f'"{hashlib.sha256(OUTPUT).hexdigest()}"'


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
def test_who_has_the_file_gets_304(caller: Caller, task: Task, form: str) -> None:
    etag = caller.get(f"/{task.pk}/output").headers["ETag"]

    response = caller.get(f"/{task.pk}/output", if_none_match=form.format(etag), range="bytes=0-3")

    assert (response.status_code, content(response)) == (304, b"")
    assert response.headers["ETag"] == etag


def test_who_insists_on_another_file_gets_412(caller: Caller, task: Task) -> None:
    response = caller.get(f"/{task.pk}/output", if_match='"other"')

    assert response.status_code == 412
    assert response.json()["error"] == "412"
    assert "Content-Disposition" not in response.headers


# ---- Ranges --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-3", 0, 4),
        ("bytes=5-", 5, SIZE),
        ("bytes=-4", SIZE - 4, SIZE),
        ("bytes=0-", 0, SIZE),
        ("bytes=2-2", 2, 3),
        (f"bytes=5-{SIZE}", 5, SIZE),
        ("bytes=5-999999999999999999", 5, SIZE),
        (f"bytes=-{SIZE + 5}", 0, SIZE),
        (f"bytes={SIZE - 1}-", SIZE - 1, SIZE),
        ("Bytes=0-3", 0, 4),
    ],
)
def test_a_range_is_a_part(caller: Caller, task: Task, asked: str, start: int, end: int) -> None:
    response = caller.get(f"/{task.pk}/output", range=asked)

    assert response.status_code == 206
    assert content(response) == OUTPUT[start:end]
    assert response.headers["Content-Range"] == f"bytes {start}-{end - 1}/{SIZE}"
    assert response.headers["Content-Length"] == str(end - start)
    assert response.headers["Content-Type"] == CSV


@pytest.mark.parametrize(
    "asked", [f"bytes={SIZE}-", "bytes=999999999999999999-", "bytes=-0", f"bytes={SIZE}-{SIZE + 1}"]
)
def test_a_range_behind_the_end_cannot_be_had(caller: Caller, task: Task, asked: str) -> None:
    response = caller.get(f"/{task.pk}/output", range=asked)

    assert_error(response, 416, "range_not_satisfiable", {"message": "range not satisfiable"})
    assert response.headers["Content-Range"] == f"bytes */{SIZE}"


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=0-1,3-4",
        "bytes=3-2",
        "bytes=-",
        "bytes=a-b",
        "lines=0-1",
        "bytes=" + "9" * 5000 + "-",
    ],
)
def test_other_ranges_are_disregarded(caller: Caller, task: Task, asked: str) -> None:
    response = caller.get(f"/{task.pk}/output", range=asked)

    assert (response.status_code, content(response)) == (200, OUTPUT)
    assert response.headers["Accept-Ranges"] == "bytes"


def test_going_on_is_tied_to_the_same_bytes(caller: Caller, task: Task) -> None:
    etag = caller.get(f"/{task.pk}/output").headers["ETag"]
    ask = f"/{task.pk}/output"

    same = caller.get(ask, range="bytes=5-", if_range=etag)
    other = caller.get(ask, range="bytes=5-", if_range='"other"')
    weak = caller.get(ask, range="bytes=5-", if_range=f"W/{etag}")
    date = caller.get(ask, range="bytes=5-", if_range="Mon, 23 Nov 2026 17:06:23 GMT")

    assert [each.status_code for each in (same, other, weak, date)] == [206, 200, 200, 200]


def test_head_says_what_get_would_say(caller: Caller, task: Task) -> None:
    response = caller.call("HEAD", f"/{task.pk}/output", headers={"Range": "bytes=0-3"})

    assert (response.status_code, content(response)) == (200, b"")
    assert response.headers["Content-Length"] == str(SIZE)
    assert response.headers["Accept-Ranges"] == "bytes"
    assert response.headers["ETag"]


# ---- For spreadsheets ----------------------------------------------------------------------------


def test_a_file_can_be_made_safe_for_spreadsheets(caller: Caller, task: Task) -> None:
    TaskCSVFactory.create(task=task, name=CSVName.FAILED, content=b'name,do\n=1+1,"@x"\nAda,\n')
    path = f"/{task.pk}?csv_name=failed.csv&spreadsheet=safe"

    response = caller.get(path, accept=CSV, range="bytes=0-3")

    assert response.status_code == 200
    assert content(response) == b"name,do\n'=1+1,\"'@x\"\nAda,\n"
    assert not {"Accept-Ranges", "Content-Length"} & dict(response.headers).keys()
    etag = response.headers["ETag"]
    assert etag != caller.get(f"/{task.pk}?csv_name=failed.csv", accept=CSV).headers["ETag"]
    assert caller.get(path, accept=CSV, if_none_match=etag).status_code == 304


def test_another_wish_for_spreadsheets_is_refused(caller: Caller, task: Task) -> None:
    assert_faulty(caller.get(f"/{task.pk}/output?spreadsheet=excel"), "spreadsheet")


# ---- Events --------------------------------------------------------------------------------------


def test_a_download_leaves_one_event(caller: Caller, task: Task) -> None:
    caller.get(f"/{task.pk}/output", x_request_id="my-request")

    event = TaskEvent.objects.get(task_id=task.pk, kind="downloaded")
    assert event.detail == {"name": "out.csv"}
    assert (event.actor, event.request_id) == (f"account:{caller.account.pk}", "my-request")


@pytest.mark.parametrize(
    "asked", [f"bytes=0-{SIZE // 2}", "bytes=0-", "bytes=1-", f"bytes=-{SIZE // 2 + 1}"]
)
def test_more_than_half_of_a_file_is_a_download(caller: Caller, task: Task, asked: str) -> None:
    assert SIZE % 2 == 0

    response = caller.get(f"/{task.pk}/output", range=asked)

    assert response.status_code == 206
    assert downloaded(task) == ["out.csv"]


@pytest.mark.parametrize(
    "asked", ["bytes=0-0", f"bytes=0-{SIZE // 2 - 1}", f"bytes={SIZE // 2}-", "bytes=-3"]
)
def test_half_of_a_file_or_less_is_none(caller: Caller, task: Task, asked: str) -> None:
    response = caller.get(f"/{task.pk}/output", range=asked)

    assert response.status_code == 206
    assert downloaded(task) == []


def test_a_file_that_is_sent_whole_is_a_download(caller: Caller, task: Task) -> None:
    caller.get(f"/{task.pk}/input")
    caller.get(f"/{task.pk}/output?spreadsheet=safe")

    assert downloaded(task) == ["in.csv", "out.csv"]


def test_what_sends_nothing_is_none(caller: Caller, task: Task) -> None:
    ask = f"/{task.pk}/output"
    etag = caller.call("HEAD", ask).headers["ETag"]
    caller.get(ask, if_none_match=etag)
    caller.get(ask, range=f"bytes={SIZE}-")
    caller.get(ask, if_match='"other"')
    caller.get(f"/{task.pk}")

    assert downloaded(task) == []


# ---- From parts, until the output is assembled ---------------------------------------------------


@pytest.fixture
def stopped(caller: Caller) -> Task:
    """A stopped task of four rows: one succeeded, one failed; nothing is assembled yet."""
    task: Task = TaskFactory.create(
        account=caller.account,
        category="trial",
        action="check",
        status=TaskStatus.STOPPED,
        total_count=4,
        success_count=1,
        failure_count=1,
    )
    lines = [b"name,do\n", b"Ada,\n", b"Bob,fail\n", b"Cy,\n", b"Di,\n"]
    whole = b"".join(lines)
    TaskCSVFactory.create(task=task, content=whole)
    cursor = len(b"".join(lines[:3]))
    SegmentFactory.create(
        task=task, cursor_row=2, cursor_offset=cursor, end_offset=len(whole), part_count=2
    )
    PartFactory.create(task=task, number=0, output=b"Ada,,ADA,\n")
    PartFactory.create(
        task=task,
        number=1,
        first_row=2,
        failure_count=1,
        output=b"Bob,fail,,told to fail\n",
        failed=b"Bob,fail\n",
    )
    return task


STOPPED_FILES = {
    "out.csv": OUTPUT,
    "failed.csv": b"name,do\nBob,fail\n",
    "unprocessed.csv": b"name,do\nCy,\nDi,\n",
}


@pytest.mark.parametrize("name", STOPPED_FILES)
def test_a_stopped_task_has_its_files_at_once(caller: Caller, stopped: Task, name: str) -> None:
    response = caller.get(f"/{stopped.pk}?csv_name={name}", accept=CSV)

    assert content(response) == STOPPED_FILES[name]
    assert response.headers["Content-Length"] == str(len(STOPPED_FILES[name]))


def test_ranges_are_cut_from_parts_too(caller: Caller, stopped: Task) -> None:
    for start in range(SIZE):
        for end in (start + 1, SIZE):
            response = caller.get(f"/{stopped.pk}/output", range=f"bytes={start}-{end - 1}")

            assert content(response) == OUTPUT[start:end]


def test_a_file_that_is_assembled_while_it_is_sent_arrives_whole(
    caller: Caller, stopped: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_files, "GROUP_BYTES", 1)  # one part at a time

    blocks = caller.get(f"/{stopped.pk}/output").streaming_content
    first = next(blocks) + next(blocks)
    assembly.assemble(stopped.pk)

    assert not Part.objects.exists()
    assert first + b"".join(blocks) == OUTPUT


def test_what_grew_before_it_was_assembled_is_cut_off_not_mixed(
    caller: Caller, stopped: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_files, "GROUP_BYTES", 1)

    blocks = caller.get(f"/{stopped.pk}/output").streaming_content
    next(blocks)
    PartFactory.create(task=stopped, number=2, first_row=3, output=b"Cy,,sent before the stop,\n")
    assembly.assemble(stopped.pk)

    with pytest.raises(Exception, match="while they were read"):
        b"".join(blocks)


def test_a_file_that_was_assembled_since_the_task_was_read_is_whole(
    caller: Caller, stopped: Task
) -> None:
    read_before = Task.objects.prefetch_related("csvs").get(pk=stopped.pk)
    assembly.assemble(stopped.pk)

    file = task_files.open_file(read_before, "out.csv")

    assert b"".join(file.read()) == OUTPUT


def test_a_task_that_is_deleted_while_it_is_sent_is_cut_off_not_made_up(
    caller: Caller, stopped: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_files, "GROUP_BYTES", 1)

    blocks = caller.get(f"/{stopped.pk}/output").streaming_content
    next(blocks)
    Part.objects.all().delete()

    with pytest.raises(Exception, match="while they were read"):
        b"".join(blocks)


def test_an_executing_task_has_no_output_yet(caller: Caller) -> None:
    task = TaskFactory.create(account=caller.account, status=TaskStatus.EXECUTING)

    assert_error(caller.get(f"/{task.pk}/output"), 404, "bad_identifier", cause(task.pk))


# ---- Large files ---------------------------------------------------------------------------------


def test_a_file_is_sent_in_blocks_and_closed_when_the_client_leaves(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = TaskFactory.create(account=caller.account)
    TaskCSVFactory.create(task=task, content=b"name\n" + b"x" * (3 * recording.BLOCK_BYTES))
    opened = []
    open_range = storage.open_range

    def remember(*arguments: Any) -> Any:
        opened.append(Mock(wraps=open_range(*arguments)))
        return opened[-1]

    monkeypatch.setattr(storage, "open_range", remember)

    response = caller.get(f"/{task.pk}/input")
    sizes = [len(next(response.streaming_content)) for _ in range(2)]
    response.close()

    assert sizes == [recording.BLOCK_BYTES] * 2
    assert [file.close.call_count for file in opened] == [1]
