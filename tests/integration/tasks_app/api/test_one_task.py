from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from tasks_app import lifecycle
from tasks_app.errors import StorageUnavailable
from tasks_app.models import Task, TaskEvent
from tasks_app.states import FINAL, TaskStatus
from tests import engine
from tests.broker import FakeBroker
from tests.factories import AccountFactory, SegmentFactory, TaskCSVFactory, TaskFactory
from tests.integration.tasks_app.api.calls import (
    GOOD_CSV,
    MISSING_ID,
    Caller,
    assert_error,
    cause,
    shown,
)

ENDED = sorted(FINAL)
NOT_IDS = ["x", "0" * 29, "0" * 31, "G" * 30, "%00" * 10, "%F0%9F%92%A9", "'--", "A" * 30]
IGNORED_BODIES = [b"", b"{}", b'{"data":{}}', b"{", b"\xff" * 100]


@pytest.fixture
def started(caller: Caller) -> Task:
    """A task whose rows wait for a worker."""
    return engine.start(
        engine.submit("check", "name,do", "Ada,", "Bob,fail", account=caller.account)
    )


# ---- GET -----------------------------------------------------------------------------------------


def test_a_pending_task_has_no_counts_and_no_node(caller: Caller) -> None:
    made = shown(caller.put(GOOD_CSV), 201)

    task = shown(caller.get(f"/{made['id']}"))

    assert task == made
    assert not {"success_count", "failure_count", "node", "start_timestamp", "reason"} & task.keys()


def test_a_started_task_has_counts_at_once(caller: Caller, started: Task) -> None:
    task = shown(caller.get(f"/{started.pk}"))

    assert (task["status"], task["success_count"], task["failure_count"]) == ("executing", 0, 0)
    assert task["start_timestamp"] >= task["created"]
    assert "@" in task["node"]
    assert "end_timestamp" not in task


@pytest.mark.django_db(transaction=True)
def test_an_ended_task_has_its_files(caller: Caller, started: Task, broker: FakeBroker) -> None:
    broker.deliver_all()

    task = shown(caller.get(f"/{started.pk}"))

    assert (task["status"], task["success_count"], task["failure_count"]) == ("partial", 1, 1)
    assert task["csvs"] == ["in.csv", "out.csv", "failed.csv"]
    assert task["end_timestamp"] >= task["start_timestamp"]


@pytest.mark.django_db(transaction=True)
def test_a_task_that_was_refused_says_why(caller: Caller, broker: FakeBroker) -> None:
    refused = engine.start(engine.submit("forbidden", "name", "Ada", account=caller.account))
    broker.deliver_all()

    task = shown(caller.get(f"/{refused.pk}"))

    assert (task["status"], task["reason"]) == ("failure", "task execution is forbidden")


def test_a_task_without_input_has_no_total(caller: Caller) -> None:
    task = engine.submit("count", account=caller.account)

    assert "total_count" not in shown(caller.get(f"/{task.pk}"))


@pytest.mark.parametrize("task_id", [MISSING_ID, *NOT_IDS])
def test_a_missing_task_is_named_in_a_list(caller: Caller, task_id: str) -> None:
    response = caller.get(f"/{task_id}")

    assert response.status_code == 404
    assert response.json()["message"] == "bad identifier"
    assert len(response.json()["data"]) == 1


def test_another_accounts_task_looks_like_a_missing_one(caller: Caller) -> None:
    theirs = TaskFactory.create()

    assert_error(caller.get(f"/{theirs.pk}"), 404, "bad identifier", [theirs.pk])


def test_even_the_super_duper_admin_finds_a_task_only_in_its_account(caller: Caller) -> None:
    admin = Caller(AccountFactory.create(is_superadmin=True), acts_on=caller.account)
    theirs = TaskFactory.create()

    assert_error(admin.get(f"/{theirs.pk}"), 404, "bad identifier", [theirs.pk])


def test_a_removed_task_is_missing(caller: Caller) -> None:
    removed = TaskFactory.create(account=caller.account, status=TaskStatus.REMOVED)

    assert caller.get(f"/{removed.pk}").status_code == 404


# ---- Revisions -----------------------------------------------------------------------------------


def test_the_revision_changes_with_the_task_and_only_then(caller: Caller, started: Task) -> None:
    first, again = caller.get(f"/{started.pk}"), caller.get(f"/{started.pk}")
    lifecycle.stop(started, engine.TESTER)
    stopped = caller.get(f"/{started.pk}")

    revisions = [response.json()["revision"] for response in (first, again, stopped)]
    assert revisions[0] == revisions[1] != revisions[2]
    assert first.headers["ETag"] == f'"{revisions[0]}"'


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', '"a" , W/"b",{}', "*"])
def test_who_has_this_revision_gets_304(caller: Caller, started: Task, form: str) -> None:
    etag = caller.get(f"/{started.pk}").headers["ETag"]

    response = caller.get(f"/{started.pk}", if_none_match=form.format(etag))

    assert (response.status_code, response.content) == (304, b"")
    assert response.headers["ETag"] == etag


def test_who_has_another_revision_gets_the_task(caller: Caller, started: Task) -> None:
    assert caller.get(f"/{started.pk}", if_none_match='"other"').status_code == 200


# ---- PATCH ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", IGNORED_BODIES)
def test_start_ignores_its_body(caller: Caller, broker: FakeBroker, body: bytes) -> None:
    task_id = shown(caller.put(GOOD_CSV), 201)["id"]

    response = caller.call("PATCH", f"/{task_id}", data=body, content_type="application/json")

    task = shown(response)
    assert task["status"] == "executing"
    assert task["start_timestamp"] >= task["submit_timestamp"] == task["created"]
    assert "@" in task["node"]


def test_start_says_who_in_which_request(caller: Caller) -> None:
    task_id = shown(caller.put(GOOD_CSV), 201)["id"]

    caller.call("PATCH", f"/{task_id}", headers={"X-Request-Id": "my-request"})

    event = TaskEvent.objects.get(kind="started")
    assert (event.actor, event.request_id) == (f"account:{caller.account.pk}", "my-request")


@pytest.mark.parametrize("status", [TaskStatus.EXECUTING, *ENDED])
def test_what_was_started_cannot_be_started(caller: Caller, status: TaskStatus) -> None:
    task = TaskFactory.create(account=caller.account, status=status)

    response = caller.call("PATCH", f"/{task.pk}")

    data = cause(task.pk, reason="task already started")
    assert_error(response, 404, "bad_identifier", data)
    assert "page_size" not in response.json()


def test_what_was_created_under_another_version_is_not_started(caller: Caller) -> None:
    task = TaskFactory.create(account=caller.account, category_version="0")

    response = caller.call("PATCH", f"/{task.pk}")

    why = "the task was created under version 0 of number_management, installed is version 2"
    data = cause(task.pk, reason=f"{why}; create the task again")
    assert_error(response, 404, "bad_identifier", data)
    task.refresh_from_db()
    assert task.status == TaskStatus.PENDING


@pytest.mark.parametrize("path", ["", "/stop", "/retry"])
def test_what_is_missing_cannot_be_started_stopped_or_retried(caller: Caller, path: str) -> None:
    response = caller.call("PATCH", f"/{MISSING_ID}{path}")

    assert_error(response, 404, "bad_identifier", cause(MISSING_ID))


# ---- PATCH stop ----------------------------------------------------------------------------------


@pytest.mark.parametrize("body", IGNORED_BODIES)
def test_stop_answers_with_final_counts(caller: Caller, started: Task, body: bytes) -> None:
    response = caller.call("PATCH", f"/{started.pk}/stop", data=body)

    task = shown(response)
    assert (task["status"], task["success_count"], task["failure_count"]) == ("stopped", 0, 0)
    assert task["end_timestamp"] >= task["start_timestamp"]
    assert task["csvs"] == ["in.csv", "out.csv", "unprocessed.csv"]
    assert response.json()["page_size"] == 1


@pytest.mark.parametrize("status", [TaskStatus.PENDING, *ENDED])
def test_what_is_not_running_cannot_be_stopped(caller: Caller, status: TaskStatus) -> None:
    task = TaskFactory.create(account=caller.account, status=status)

    response = caller.call("PATCH", f"/{task.pk}/stop")

    assert_error(response, 404, "bad_identifier", cause(task.pk, reason="task is not running"))
    body = response.json()
    assert body["page_size"] == 1
    assert {"node", "timestamp", "version"} <= body.keys()


# ---- PATCH retry ---------------------------------------------------------------------------------


def make_broken(caller: Caller) -> Task:
    """Return a task that ended `internal_error` with something left to do."""
    task: Task = TaskFactory.create(account=caller.account, status=TaskStatus.INTERNAL_ERROR)
    SegmentFactory.create(task=task, end_row=None)
    return task


@pytest.mark.parametrize("body", IGNORED_BODIES)
def test_retry_lets_a_broken_task_run_again(caller: Caller, body: bytes) -> None:
    broken = make_broken(caller)

    response = caller.call("PATCH", f"/{broken.pk}/retry", data=body)

    task = shown(response)
    assert task["status"] == "executing"
    assert not {"end_timestamp", "reason"} & task.keys()
    assert TaskEvent.objects.get().actor == f"account:{caller.account.pk}"


@pytest.mark.parametrize(
    "status", [TaskStatus.PENDING, TaskStatus.EXECUTING, *(set(ENDED) - {"internal_error"})]
)
def test_what_is_not_broken_is_not_retried(caller: Caller, status: TaskStatus) -> None:
    task = TaskFactory.create(account=caller.account, status=status)

    response = caller.call("PATCH", f"/{task.pk}/retry")

    reason = "only a task that ended internal_error can be retried"
    assert_error(response, 404, "bad_identifier", cause(task.pk, reason=reason))


def test_a_retry_whose_input_cannot_be_looked_at_is_answered_503(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def be_away(_task: Task) -> None:
        raise StorageUnavailable

    broken = make_broken(caller)
    monkeypatch.setattr(lifecycle, "check_input", be_away)

    response = caller.call("PATCH", f"/{broken.pk}/retry")

    assert response.status_code == 503
    assert response.headers["Retry-After"]


# ---- DELETE --------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [TaskStatus.PENDING, *ENDED])
def test_delete_answers_with_what_the_task_was(caller: Caller, status: TaskStatus) -> None:
    task = TaskFactory.create(account=caller.account, status=status)
    before = shown(caller.get(f"/{task.pk}"))

    response = caller.call("DELETE", f"/{task.pk}", data=b"{")

    assert shown(response) == before
    assert before["status"] == status
    assert_error(caller.call("DELETE", f"/{task.pk}"), 404, "bad identifier", [task.pk])


def test_a_running_task_cannot_be_deleted(caller: Caller, started: Task) -> None:
    response = caller.call("DELETE", f"/{started.pk}")

    assert_error(response, 404, "bad_identifier", cause(started.pk))
    assert engine.fresh(started).status == "executing"


def test_of_two_deletes_at_once_the_second_finds_nothing(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = TaskFactory.create(account=caller.account)
    remove = lifecycle.remove

    def remove_after_somebody_else(mine: Task, *arguments: Any) -> None:
        remove(Task.objects.get(pk=mine.pk), engine.TESTER)
        remove(mine, *arguments)

    monkeypatch.setattr(lifecycle, "remove", remove_after_somebody_else)

    assert_error(caller.call("DELETE", f"/{task.pk}"), 404, "bad identifier", [task.pk])


def test_looking_at_a_task_costs_three_queries(
    caller: Caller, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    task = TaskCSVFactory.create(task__account=caller.account).task

    with django_assert_num_queries(3):  # the token, the task, its files
        caller.get(f"/{task.pk}")
