import gzip
import io
import json
import zlib
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from categories import registry
from categories.models import RegisteredCategory
from piston import disk_reserve
from piston.accounts.models import Account
from tasks_app import creating
from tasks_app.api import conversion, json_uploads
from tasks_app.api.json_uploads import SMALL_BYTES
from tasks_app.errors import StorageUnavailable
from tasks_app.files import task_files
from tasks_app.models import Task, TaskCSV, TaskEvent
from tests.factories import AccountFactory
from tests.integration.tasks_app.api.calls import (
    GOOD_CSV,
    JSON,
    MISSING_ID,
    Caller,
    assert_error,
    assert_faulty,
    shown,
)

CHECK = "category=trial&action=check"
FORM = "application/x-www-form-urlencoded"
EMPTY_CSV = "Empty CSV or some row(s) longer than others or header missing"


class Unreadable(io.BytesIO):
    """A body that must not be read."""

    def read(self, size: int | None = -1, /) -> bytes:
        raise AssertionError("the body was read")


def stored_input(task: dict[str, Any]) -> bytes:
    stored = Task.objects.get(pk=task["id"])
    return b"".join(task_files.open_file(stored, "in.csv").read())


def attachment(response: Any) -> Any:
    assert response.status_code == 500, response.content
    body = response.json()
    assert (body["error"], body["message"]) == ("500", "invalid request")
    return body["data"]["attachment"]["type"]


def csv_fault(response: Any) -> Any:
    assert response.status_code == 500, response.content
    body = response.json()
    assert (body["error"], body["message"]) == ("500", "invalid request")
    fault = body["data"]["csv"]["format"]
    assert fault["message"] == EMPTY_CSV
    return fault


def assert_nothing_was_kept() -> None:
    assert not Task.objects.exists()
    assert not TaskCSV.objects.exists()


# ---- What is created -----------------------------------------------------------------------------


def test_a_csv_becomes_a_task(caller: Caller) -> None:
    response = caller.put(GOOD_CSV, file_name="people.csv")

    task = shown(response, 201)
    assert {key: task[key] for key in task if key not in {"id", "created", "submit_timestamp"}} == {
        "account_id": caller.account.pk,
        "auth_account_id": caller.account.pk,
        "action": "check",
        "category": "trial",
        "csvs": ["in.csv"],
        "file_name": "people.csv",
        "status": "pending",
        "total_count": 2,
    }
    assert task["created"] == task["submit_timestamp"] > 63_900_000_000
    assert stored_input(task) == GOOD_CSV


@pytest.mark.parametrize(
    "content_type",
    [
        "text/csv",
        "text/csv; charset=utf-8",
        "Text/CSV;header=present",
        "text/comma-separated-values",
        "application/octet-stream",
    ],
)
def test_these_types_are_csv(caller: Caller, content_type: str) -> None:
    assert shown(caller.put(GOOD_CSV, content_type), 201)["total_count"] == 2


@pytest.mark.parametrize("content_type", [JSON, "application/json; charset=utf-8", FORM, ""])
def test_these_types_are_json(caller: Caller, content_type: str) -> None:
    body = json.dumps({"data": {"records": [{"name": "Ada"}], "file_name": "people"}})

    task = shown(caller.put(body, content_type), 201)

    assert (task["total_count"], task["file_name"]) == (1, "people")
    assert stored_input(task) == b"name\nAda\n"


@pytest.mark.parametrize("body", [b"", b"{}", b'{"data":{}}', b'{"data":{"records":null}}', b" \n"])
@pytest.mark.parametrize("content_type", [JSON, FORM, ""])
def test_these_bodies_are_no_input(caller: Caller, body: bytes, content_type: str) -> None:
    task = shown(caller.put(body, content_type, action="count"), 201)

    assert task["csvs"] == []
    assert "total_count" not in task


def test_an_empty_csv_is_no_input_for_an_action_that_takes_none(caller: Caller) -> None:
    assert shown(caller.put(b"", "text/csv", action="count"), 201)["csvs"] == []


@pytest.mark.parametrize("content_type", ["multipart/form-data; boundary=x", "text/plain", "x"])
def test_other_types_are_refused(caller: Caller, content_type: str) -> None:
    response = caller.put(GOOD_CSV, content_type)

    assert_error(response, 415, "unsupported_media_type", {"message": "unsupported media type"})


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP"])
def test_a_gzipped_csv_is_kept_decompressed(caller: Caller, encoding: str) -> None:
    response = caller.put(gzip.compress(GOOD_CSV), headers={"Content-Encoding": encoding})

    assert stored_input(shown(response, 201)) == GOOD_CSV


def test_gzipped_json_is_read_too(caller: Caller) -> None:
    body = gzip.compress(b'{"data": {"records": [{"name": "Ada"}]}}')

    response = caller.put(body, JSON, headers={"Content-Encoding": "gzip"})

    assert shown(response, 201)["total_count"] == 1


def test_another_encoding_is_refused(caller: Caller) -> None:
    response = caller.put(zlib.compress(GOOD_CSV), headers={"Content-Encoding": "deflate"})

    assert response.status_code == 415


def test_the_account_in_the_path_owns_the_task_and_the_token_says_who_made_it(
    account: Account, caller: Caller
) -> None:
    child = AccountFactory.create(parent=account)

    task = shown(Caller(account, acts_on=child).put(GOOD_CSV), 201)

    assert (task["account_id"], task["auth_account_id"]) == (child.pk, account.pk)


def test_without_the_account_in_the_path_the_task_is_the_super_duper_admins(caller: Caller) -> None:
    admin = Caller(AccountFactory.create(is_superadmin=True))
    admin.tasks = "/v2/tasks"

    task = shown(admin.put(GOOD_CSV), 201)

    assert (task["account_id"], task["auth_account_id"]) == (admin.account.pk, admin.account.pk)


def test_the_event_says_who_and_in_which_request(caller: Caller) -> None:
    caller.put(GOOD_CSV, headers={"X-Request-Id": "my-request"})

    event = TaskEvent.objects.get()
    assert (event.kind, event.actor) == ("created", f"account:{caller.account.pk}")
    assert event.request_id == "my-request"


# ---- Names of files ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "<script>alert(1)</script>", "a\nb", "😀", "$(reboot)", "x" * 1000]
)
def test_a_file_name_is_data(caller: Caller, name: str) -> None:
    assert shown(caller.put(GOOD_CSV, file_name=name), 201)["file_name"] == name


def test_the_file_name_in_the_body_goes_before_the_one_in_the_query(caller: Caller) -> None:
    body = {"data": {"records": [{"name": "Ada"}], "file_name": "body"}}

    assert shown(caller.put_json(body, file_name="query"), 201)["file_name"] == "body"


@pytest.mark.parametrize("unset", [None, ""])
def test_an_unset_file_name_in_the_body_leaves_the_one_in_the_query(
    caller: Caller, unset: str | None
) -> None:
    body = {"data": {"file_name": unset}}

    task = shown(caller.put_json(body, action="count", file_name="query"), 201)

    assert task["file_name"] == "query"


@pytest.mark.parametrize("name", [7, ["a"], {"a": 1}, True, "a\0b", "\ud800", "x" * 1001])
def test_what_is_no_file_name_is_refused(caller: Caller, name: Any) -> None:
    assert_faulty(caller.put_json({"data": {"file_name": name}}, action="count"), "file_name")
    assert_nothing_was_kept()


def test_a_nul_in_the_file_name_of_the_query_is_refused(caller: Caller) -> None:
    assert_faulty(caller.put(GOOD_CSV, file_name="a\0b"), "file_name")


# ---- JSON ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[]", b'"x"', b"name\nAda\n", b'{"a": NaN}'])
def test_a_body_that_is_no_json_object_is_refused(caller: Caller, body: bytes) -> None:
    response = caller.put(body, JSON)

    assert response.status_code == 400
    assert response.json()["message"] == "invalid_json"
    assert_nothing_was_kept()


@pytest.mark.parametrize("body", [{"data": []}, {"data": "x"}, {"records": [{"name": "Ada"}]}])
def test_records_in_the_wrong_place_are_refused(caller: Caller, body: Any) -> None:
    assert_faulty(caller.put_json(body), '{"data"')


@pytest.mark.parametrize("records", [[], {}, "x", 7, False])
def test_what_is_no_list_of_records_is_the_csv_format_error(caller: Caller, records: Any) -> None:
    assert "records" in csv_fault(caller.put_json({"data": {"records": records}}))["reason"]
    assert_nothing_was_kept()


def test_every_record_is_checked_not_only_the_first(caller: Caller) -> None:
    records = [{"name": "Ada"}, {"do": "x"}, {"name": "Bob", "wef": 1}]

    fault = attachment(caller.put_json({"data": {"records": records}}))

    assert fault == {"unknown_fields": ["wef"], "missing_mandatory_values": [",x,"]}


def test_json_of_some_megabytes_is_fine(caller: Caller) -> None:
    records = [{"name": "x" * 100_000} for _ in range(40)]

    assert shown(caller.put_json({"data": {"records": records}}), 201)["total_count"] == 40


LONG = "x" * (SMALL_BYTES + 1)  # makes a body too large to be read in the web process


@pytest.mark.parametrize("body", [b'{"data": [}', b'{"data": NaN', b"[]", b'{"data": "\xff"}'])
@pytest.mark.parametrize("padding", [b"", b" " * len(LONG)])
def test_json_is_refused_in_the_same_words_whatever_its_length(
    caller: Caller, body: bytes, padding: bytes
) -> None:
    short = caller.put(body, JSON)

    answer = caller.put(body + padding, JSON)

    assert answer.status_code == 400
    assert answer.json()["data"] == short.json()["data"]
    assert_nothing_was_kept()


@pytest.mark.parametrize("beside", ["", LONG])
def test_a_bad_record_is_placed_whatever_the_length_of_the_body(
    caller: Caller, beside: str
) -> None:
    document = {"x": beside, "data": {"records": [{"name": "Ada"}, {"name": "\ud800"}]}}

    fault = csv_fault(caller.put_json(document))

    assert fault["row"] == 2
    assert "half a surrogate pair" in fault["reason"]
    assert_nothing_was_kept()


@pytest.mark.parametrize("beside", ["", LONG])
def test_a_nul_never_reaches_a_column(caller: Caller, beside: str) -> None:
    """PostgreSQL stores none, and columns of texts rely on that."""
    document = {"x": beside, "data": {"records": [{"name": "Ada"}, {"name": "B\0b"}]}}

    in_json, in_csv = csv_fault(caller.put_json(document)), csv_fault(caller.put(b"name\nB\0b\n"))

    assert "NUL" in in_json["reason"]
    assert "NUL" in in_csv["reason"]
    assert_nothing_was_kept()


@pytest.mark.parametrize("beside", ["", LONG])
def test_a_large_body_has_a_file_name_or_no_records_like_a_small_one(
    caller: Caller, beside: str
) -> None:
    named = {"x": beside, "data": {"records": [{"name": "Ada"}], "file_name": "people"}}
    empty = {"x": beside, "data": {}}

    task = shown(caller.put_json(named), 201)

    assert (task["file_name"], stored_input(task)) == ("people", b"name\nAda\n")
    assert shown(caller.put_json(empty, action="count"), 201)["csvs"] == []
    assert attachment(caller.put_json(empty)) == {"expected_content": "text/csv"}
    assert attachment(caller.put_json(named, action="count")) == {"expected_content": "none"}
    assert_faulty(caller.put_json({"x": beside, "data": {"file_name": 7}}), "file_name")


def test_a_small_body_that_stands_for_a_large_csv_is_read_elsewhere(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_uploads, "SMALL_ABSENT_CELLS", 3)
    monkeypatch.setattr(json_uploads, "MAX_ABSENT_CELLS", 4)
    records: list[Any] = [{"name": "Ada", "do": ""}, {"name": "Bob"}, {}, {"name": "Eve"}]

    fault = csv_fault(caller.put_json({"data": {"records": [*records, {}]}}))

    assert "the limit of 4" in fault["reason"]
    assert attachment(caller.put_json({"data": {"records": records}}))


def test_an_account_without_room_is_told_so_before_a_large_body_is_read(
    caller: Caller, settings: Settings
) -> None:
    settings.PISTON_MAX_TASKS_PER_ACCOUNT = 1
    shown(caller.put(GOOD_CSV), 201)

    response = caller.put_json({"x": LONG, "data": {"records": [7]}})

    assert response.status_code == 429


def test_a_csv_that_ends_because_its_converter_was_killed_is_never_taken_for_complete(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_uploads, "PROGRAM", "tests.unit.tasks_app.api.odd_converter")
    monkeypatch.setattr(json_uploads, "rules_for", lambda *_: SimpleNamespace(does="die late"))

    response = caller.put_json({"x": LONG})

    assert response.status_code == 503
    assert_nothing_was_kept()


def test_json_for_which_a_converter_finds_no_room_is_refused_like_any_upload(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_reserve, "least_free_bytes", lambda: 2**62)
    monkeypatch.setattr(disk_reserve, "check_room", lambda _size_bytes=0: None)

    response = caller.put_json({"x": LONG, "data": {"records": [{"name": "Ada"}]}})

    assert response.status_code == 507
    assert response.json()["data"]["reason"] == disk_reserve.REASON
    assert_nothing_was_kept()


def test_nothing_is_kept_of_json_whose_client_has_hung_up(caller: Caller) -> None:
    wire = SimpleNamespace(is_over=False, is_gone=True)
    document = json.dumps({"x": LONG, "data": {"records": [{"name": "Ada"}]}})

    path = f"{caller.tasks}?{CHECK}"
    response = caller.send(path, "application/json", data=document, **{"gunicorn.socket": wire})

    assert response.status_code == 400
    assert "went away" in response.json()["data"]["reason"]
    assert_nothing_was_kept()


def test_accounts_of_one_tree_take_turns_with_large_json(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversion, "MAX_WAIT_SECONDS", 0.0)
    document = {"x": LONG, "data": {"records": [{"name": "Ada"}]}}
    child = Caller(AccountFactory(parent=caller.account))

    with conversion.conversion_queue.slot(caller.account.find_root_id(), lambda: None):
        response = child.put_json(document)

    assert response.status_code == 429
    assert int(response.headers["Retry-After"]) >= 1
    shown(child.put_json(document), 201)


def test_json_beyond_its_limit_is_refused(caller: Caller, settings: Settings) -> None:
    settings.PISTON_MAX_JSON_BYTES = 100

    response = caller.put_json({"data": {"records": [{"name": "x" * 100}]}})

    assert response.status_code == 413
    assert response.json()["message"] == "request_too_large"


def test_json_that_expands_beyond_its_limit_is_refused(caller: Caller, settings: Settings) -> None:
    settings.PISTON_MAX_JSON_BYTES = 1_000
    body = gzip.compress(b'{"data": {"records": [{"name": "%b"}]}}' % (b"x" * 10_000))

    response = caller.put(body, JSON, headers={"Content-Encoding": "gzip"})

    assert "1000 bytes" in csv_fault(response)["reason"]


# ---- What does not fit ---------------------------------------------------------------------------


def test_an_unknown_category_is_named(caller: Caller) -> None:
    response = caller.put(GOOD_CSV, category="magic")

    assert_error(response, 404, "bad identifier", ["magic"])


def test_an_unknown_action_is_named(caller: Caller) -> None:
    response = caller.put(GOOD_CSV, action="vanish")

    assert_error(response, 404, "bad identifier", ["vanish"])


@pytest.mark.parametrize("query", ["", "?category=trial", "?action=check", "?category=&action=x"])
def test_category_and_action_have_to_be_given(caller: Caller, query: str) -> None:
    response = caller.call("PUT", query, data=GOOD_CSV, content_type="text/csv")

    assert response.status_code == 500
    body = response.json()
    assert (body["error"], body["message"]) == ("500", "invalid request")
    assert body["data"]["message"] == "invalid request"


def test_a_disabled_category_takes_no_new_tasks(caller: Caller) -> None:
    record = RegisteredCategory.objects.filter(name="number_management")
    record.update(is_enabled=False, checked_at=timezone.now())
    registry.expire()
    try:
        response = caller.put(b"", "", category="number_management", action="list")
    finally:
        record.update(is_enabled=True)
        registry.expire()

    assert_error(response, 404, "bad identifier", ["number_management"])


@pytest.mark.parametrize("body", [b"", b"\n", b"name\n", b"name,do\nAda\n", b'name\n"A'])
def test_a_bad_csv_says_what_is_wrong_with_it(caller: Caller, body: bytes) -> None:
    assert csv_fault(caller.put(body))["reason"]
    assert_nothing_was_kept()


def test_a_ragged_row_is_placed(caller: Caller) -> None:
    fault = csv_fault(caller.put(b"name,do\nAda,\n\nBob\n"))

    assert (fault["row"], fault["line"], fault["expected"], fault["got"]) == (2, 4, 2, 1)


def test_all_that_does_not_fit_the_action_is_said_at_once(caller: Caller) -> None:
    fault = attachment(caller.put(b"do,wef,Name\nx,,\n"))

    assert fault["unknown_fields"] == ["wef", "Name"]
    assert fault["missing_mandatory_fields"] == ["name"]
    assert fault["did_you_mean"] == {"Name": "name"}
    assert "missing_mandatory_values" not in fault
    assert_nothing_was_kept()


def test_at_most_a_hundred_rows_are_shown_and_all_are_counted(caller: Caller) -> None:
    fault = attachment(caller.put(b"name,do\n" + b",x\n" * 150))

    assert fault == {
        "missing_mandatory_values": [",x"] * 100,
        "missing_mandatory_values_count": 150,
    }


@pytest.mark.parametrize("body", [b"{}", b""])
def test_an_action_that_needs_input_says_so(caller: Caller, body: bytes) -> None:
    assert attachment(caller.put(body, JSON)) == {"expected_content": "text/csv"}


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (GOOD_CSV, "text/csv"),
        (b'{"data":{"records":[{"a":1}]}}', JSON),
        (b'{"data":{"records":[]}}', ""),
    ],
)
def test_an_action_that_takes_no_input_says_so(
    caller: Caller, body: bytes, content_type: str
) -> None:
    response = caller.put(body, content_type, action="count")

    assert attachment(response) == {"expected_content": "none"}
    assert_nothing_was_kept()


def test_a_body_that_is_no_gzip_is_the_csv_format_error(caller: Caller) -> None:
    response = caller.put(GOOD_CSV, headers={"Content-Encoding": "gzip"})

    assert "gzip" in csv_fault(response)["reason"]


def test_a_gzip_that_expands_too_far_names_the_limit(caller: Caller, settings: Settings) -> None:
    settings.PISTON_MAX_EXPANDED_BYTES = 1_000

    body = gzip.compress(b"name\n" + b"Ada\n" * 1_000)
    response = caller.put(body, headers={"Content-Encoding": "gzip"})

    assert "1000 bytes" in csv_fault(response)["reason"]
    assert_nothing_was_kept()


# ---- Sizes and streams ---------------------------------------------------------------------------


def send_chunked(caller: Caller, body: bytes, **environ: Any) -> Any:
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input": io.BytesIO(body), **environ}
    return caller.send(f"{caller.tasks}?{CHECK}", "text/csv", **chunked)


def test_a_body_that_says_it_is_too_large_is_refused_unread(
    caller: Caller, settings: Settings
) -> None:
    settings.PISTON_MAX_UPLOAD_BYTES = 10
    unreadable: dict[str, Any] = {"CONTENT_LENGTH": "11", "wsgi.input": Unreadable()}

    response = caller.send(f"{caller.tasks}?{CHECK}", "text/csv", **unreadable)

    assert response.status_code == 413
    assert response.json()["message"] == "request_too_large"


@pytest.mark.sqlite
def test_a_body_that_says_it_does_not_fit_on_the_disk_is_refused_unread(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = (disk_reserve.LOW_BYTES + 10**9, 10**6)
    monkeypatch.setattr(disk_reserve, "free", lambda: free)
    unreadable: dict[str, Any] = {"CONTENT_LENGTH": str(10**9), "wsgi.input": Unreadable()}

    response = caller.send(f"{caller.tasks}?{CHECK}", "text/csv", **unreadable)

    assert response.status_code == 507
    assert response.json()["message"] == "insufficient_storage"
    assert_nothing_was_kept()


def test_a_chunked_body_is_read_when_the_server_delimits_it(caller: Caller) -> None:
    response = send_chunked(caller, GOOD_CSV, **{"wsgi.input_terminated": True})

    assert shown(response, 201)["total_count"] == 2


def test_a_chunked_body_is_not_taken_for_an_empty_one(caller: Caller) -> None:
    response = send_chunked(caller, GOOD_CSV)

    assert_error(response, 411, "length_required", {"message": "length required"})


def test_a_chunked_body_that_turns_out_too_large_is_refused(
    caller: Caller, settings: Settings
) -> None:
    settings.PISTON_MAX_UPLOAD_BYTES = len(GOOD_CSV) - 1

    response = send_chunked(caller, GOOD_CSV, **{"wsgi.input_terminated": True})

    assert response.status_code == 413
    assert_nothing_was_kept()


def test_an_upload_that_is_cut_off_leaves_nothing(caller: Caller) -> None:
    cut_off: dict[str, Any] = {
        "CONTENT_LENGTH": str(len(GOOD_CSV) + 1),
        "wsgi.input": io.BytesIO(GOOD_CSV),
    }

    response = caller.send(f"{caller.tasks}?{CHECK}", "text/csv", **cut_off)

    assert_faulty(response, "ended before it was complete")
    assert_nothing_was_kept()


def test_storage_that_is_away_is_worth_another_try(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise StorageUnavailable

    monkeypatch.setattr(creating.storage, "save", fail)

    response = caller.put(GOOD_CSV)

    assert response.status_code == 503
    assert response.json()["message"] == "service_unavailable"
    assert int(response.headers["Retry-After"]) > 0
    assert_nothing_was_kept()


# ---- Order of the checks: the first fault wins ---------------------------------------------------


@pytest.mark.django_db
def test_the_first_fault_wins_and_the_body_is_read_last(settings: Settings) -> None:
    settings.PISTON_MAX_UPLOAD_BYTES = 10
    stranger, own = AccountFactory.create(), AccountFactory.create()
    caller = Caller(own)
    own_tasks = f"/v2/accounts/{own.pk}/tasks"
    faults = [  # from the last check to the first: each call adds a fault to those before it
        (413, own_tasks, CHECK, "text/csv", {}),
        (415, own_tasks, CHECK, "text/plain", {}),
        (404, own_tasks, "category=trial&action=vanish", "text/plain", {}),
        (404, own_tasks, "category=magic&action=vanish", "text/plain", {}),
        (500, own_tasks, "category=magic", "text/plain", {}),
        (403, f"/v2/accounts/{stranger.pk}/tasks", "category=magic", "text/plain", {}),
        (404, f"/v2/accounts/{MISSING_ID}00/tasks", "category=magic", "text/plain", {}),
        (401, f"/v2/accounts/{MISSING_ID}00/tasks", "", "text/plain", {"X-Auth-Token": "bad"}),
    ]
    unreadable: dict[str, Any] = {"CONTENT_LENGTH": "11", "wsgi.input": Unreadable()}

    statuses = [
        caller.send(f"{path}?{query}", kind, headers, **unreadable).status_code
        for _, path, query, kind, headers in faults
    ]

    assert statuses == [status for status, *_ in faults]


def test_a_fault_of_form_wins_over_fields_that_do_not_fit(caller: Caller) -> None:
    assert csv_fault(caller.put(b"wef\n1\n1,2\n"))
