import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from tasks_app.api.serializers import to_gregorian
from tasks_app.models import Task
from tasks_app.states import TaskStatus
from tests.factories import AccountFactory, TaskCSVFactory, TaskFactory
from tests.integration.tasks_app.api.calls import Caller, assert_faulty

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def make_tasks(caller: Caller, count: int, **changes: Any) -> list[str]:
    """Return the ids of new tasks, the newest first."""
    tasks = [TaskFactory.create(account=caller.account, **changes) for _ in range(count)]
    mine = Task.objects.filter(pk__in=[task.pk for task in tasks])
    return list(mine.order_by("-created_at", "-id").values_list("pk", flat=True))


def listed(caller: Caller, **query: Any) -> list[str]:
    response = caller.get(f"?{urlencode(query)}")
    assert response.status_code == 200, response.content
    return [task["id"] for task in response.json()["data"]]


def walk(caller: Caller, page_size: int, **query: Any) -> list[list[str]]:
    """Return the ids on every page, following next_start_key."""
    pages = []
    key: dict[str, str] = {}
    while True:
        body = caller.get(f"?{urlencode({'page_size': page_size, **query, **key})}").json()
        pages.append([task["id"] for task in body["data"]])
        assert body["page_size"] == len(body["data"])
        if "next_start_key" not in body:
            return pages
        key = {"start_key": body["next_start_key"]}


# ---- What a list shows ---------------------------------------------------------------------------


def test_a_list_is_flat_and_shows_what_a_single_task_shows(caller: Caller) -> None:
    task = TaskCSVFactory.create(
        task__account=caller.account, task__status=TaskStatus.PARTIAL, task__node="web@here"
    ).task

    body = caller.get().json()

    assert body["data"] == [caller.get(f"/{task.pk}").json()["data"]["_read_only"]]
    assert body["page_size"] == 1
    assert "next_start_key" not in body


def test_an_empty_list(caller: Caller) -> None:
    body = caller.get().json()

    assert (body["data"], body["page_size"]) == ([], 0)
    assert not {"start_key", "next_start_key"} & body.keys()


def test_a_list_has_only_the_accounts_own_tasks(caller: Caller) -> None:
    [own] = make_tasks(caller, 1)
    TaskFactory.create(account=AccountFactory.create(parent=caller.account))
    make_tasks(caller, 1, status=TaskStatus.REMOVED)

    assert listed(caller) == [own]


def test_the_newest_come_first_and_of_equals_the_highest_id(caller: Caller) -> None:
    same = sorted(make_tasks(caller, 5, created_at=NOON), reverse=True)
    [older] = make_tasks(caller, 1, created_at=NOON - timedelta(seconds=1))
    [newer] = make_tasks(caller, 1, created_at=NOON + timedelta(microseconds=1))

    assert listed(caller) == [newer, *same, older]


def test_a_list_costs_the_same_whatever_its_size(
    caller: Caller, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for task_id in make_tasks(caller, 60, status=TaskStatus.STOPPED):
        TaskCSVFactory.create(task=Task.objects.get(pk=task_id), content=b"name\nAda\n")

    with django_assert_num_queries(3):  # the token, the tasks, the names of their files
        assert len(caller.get("?page_size=60").json()["data"]) == 60


def test_who_has_this_revision_of_the_list_gets_304(caller: Caller) -> None:
    make_tasks(caller, 2)
    etag = caller.get().headers["ETag"]

    assert caller.get("", if_none_match=f'W/"x", {etag}').status_code == 304
    assert caller.get("", if_none_match=etag).content == b""


def test_the_revision_of_a_page_changes_when_it_is_no_longer_the_last(caller: Caller) -> None:
    make_tasks(caller, 1, created_at=NOON)
    before = caller.get("?page_size=1").headers["ETag"]
    make_tasks(caller, 1, created_at=NOON - timedelta(days=1))

    assert caller.get("?page_size=1").headers["ETag"] != before


# ---- Pages ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("page_size", [1, 2, 3, 7, 8])
def test_pages_show_every_task_once(caller: Caller, page_size: int) -> None:
    ids = [*make_tasks(caller, 3), *sorted(make_tasks(caller, 4, created_at=NOON), reverse=True)]

    pages = walk(caller, page_size)

    assert [task_id for page in pages for task_id in page] == ids
    assert all(len(page) == page_size for page in pages[:-1])


@pytest.mark.parametrize("microseconds", [0, 1, 999, 1_000, 120_000, 123_000, 999_999])
def test_pages_are_cut_between_tasks_of_the_same_moment(caller: Caller, microseconds: int) -> None:
    moment = NOON + timedelta(microseconds=microseconds)
    same = sorted(make_tasks(caller, 3, created_at=moment), reverse=True)
    [newer] = make_tasks(caller, 1, created_at=moment + timedelta(microseconds=1))
    [older] = make_tasks(caller, 1, created_at=moment - timedelta(microseconds=1))

    assert walk(caller, 1) == [[newer], *([each] for each in same), [older]]


def test_pages_stay_in_place_while_tasks_are_added(caller: Caller) -> None:
    ids = make_tasks(caller, 4)
    first = caller.get("?page_size=2").json()
    make_tasks(caller, 3, created_at=timezone.now() + timedelta(hours=1))

    second = caller.get(f"?page_size=2&start_key={first['next_start_key']}").json()

    assert [task["id"] for task in first["data"] + second["data"]] == ids


def test_a_page_begins_in_its_place_when_its_first_task_is_removed(caller: Caller) -> None:
    ids = make_tasks(caller, 4)
    first = caller.get("?page_size=2").json()
    caller.call("DELETE", f"/{ids[2]}")

    second = caller.get(f"?page_size=2&start_key={first['next_start_key']}").json()

    assert [task["id"] for task in second["data"]] == ids[3:]
    assert second["start_key"] == first["next_start_key"]


def test_the_key_of_a_page_leads_back_to_it(caller: Caller) -> None:
    ids = make_tasks(caller, 3)
    first = caller.get("?page_size=2").json()
    make_tasks(caller, 1, created_at=timezone.now() + timedelta(hours=1))

    again = caller.get(f"?page_size=2&start_key={first['start_key']}").json()

    assert [task["id"] for task in again["data"]] == ids[:2]
    assert again["start_key"] == first["start_key"]


def test_pages_keep_their_filter(caller: Caller) -> None:
    wanted = make_tasks(caller, 3, status=TaskStatus.SUCCESS)
    make_tasks(caller, 2)

    pages = walk(caller, 2, filter_status="success")

    assert pages == [wanted[:2], wanted[2:]]


def test_a_page_has_fifty_tasks_unless_asked(caller: Caller) -> None:
    make_tasks(caller, 51)

    assert len(listed(caller)) == 50


@pytest.mark.parametrize("page_size", ["0", "-1", "1001", "x", "", "1.5", "9" * 5000, "\0"])
def test_a_bad_page_size_is_refused(caller: Caller, page_size: str) -> None:
    assert_faulty(caller.get(f"?{urlencode({'page_size': page_size})}"), "page_size")


@pytest.mark.parametrize(
    "key", ["x", "null", "=", "💩", "a" * 5000, "MTIz", "MTIzLTAw", "\0", "LTEt" + "MDAw" * 10]
)
def test_a_bad_start_key_is_refused(caller: Caller, key: str) -> None:
    assert_faulty(caller.get(f"?{urlencode({'start_key': key})}"), "start_key")


# ---- Filters -------------------------------------------------------------------------------------


@pytest.fixture
def by_status(caller: Caller) -> dict[str, str]:
    """A task of each status."""
    return {
        status.value: TaskFactory.create(account=caller.account, status=status).pk
        for status in TaskStatus
    }


@pytest.mark.parametrize("status", [each.value for each in TaskStatus if each != "removed"])
def test_one_status(caller: Caller, by_status: dict[str, str], status: str) -> None:
    assert listed(caller, filter_status=status) == [by_status[status]]


def test_any_of_a_list(caller: Caller, by_status: dict[str, str]) -> None:
    ids = listed(caller, filter_status=json.dumps(["success", "failure"]))

    assert set(ids) == {by_status["success"], by_status["failure"]}


def test_none_of_a_list(caller: Caller, by_status: dict[str, str]) -> None:
    ids = listed(caller, filter_not_status='["success", "failure"]')

    visible = {by_status[status] for status in by_status if status != "removed"}
    assert set(ids) == visible - {by_status["success"], by_status["failure"]}


def test_filters_are_combined(caller: Caller) -> None:
    make_tasks(caller, 1, category="rates", action="import")
    [wanted] = make_tasks(caller, 1, category="rates", action="export")
    make_tasks(caller, 1, category="services", action="export")

    assert listed(caller, filter_category="rates", filter_not_action="import") == [wanted]
    assert listed(caller, filter_action='["export"]', filter_category="rates") == [wanted]


def test_nothing_fits_an_unknown_category(caller: Caller) -> None:
    make_tasks(caller, 1)

    assert listed(caller, filter_category="magic") == []


@pytest.mark.parametrize(
    "query",
    [
        {"filter_status": "removed"},
        {"filter_status": "done"},
        {"filter_status": '["success", "done"]'},
        {"filter_status": "[1]"},
        {"filter_status": "["},
        {"filter_status": "[" * 5000},
        {"filter_category": '[["a"]]'},
        {"filter_action": "a\0b"},
        {"filter_not_action": '["\\ud800"]'},
        {"filter_colour": "red"},
        {"filter_not_colour": "red"},
        {"filter_": "x"},
        {"filter_not_": "x"},
    ],
)
def test_a_bad_filter_is_refused_and_named(caller: Caller, query: dict[str, str]) -> None:
    [name] = query

    assert_faulty(caller.get(f"?{urlencode(query)}"), name)


@pytest.mark.parametrize("query", ["_=1795442290285", "paginate=x", "created=now", "%00=%00"])
def test_other_parameters_are_ignored(caller: Caller, query: str) -> None:
    [task_id] = make_tasks(caller, 1)

    assert [task["id"] for task in caller.get(f"?{query}").json()["data"]] == [task_id]


# ---- Periods -------------------------------------------------------------------------------------


def test_a_period_has_its_first_and_its_last_second(caller: Caller) -> None:
    moments = [-1, 0, 0.5, 1, 1.999999, 2]
    ids = [
        make_tasks(caller, 1, created_at=NOON + timedelta(seconds=seconds))[0]
        for seconds in moments
    ]
    noon = to_gregorian(NOON)
    assert noon is not None

    found = listed(caller, created_from=noon, created_to=noon + 1)

    assert found == [ids[4], ids[3], ids[2], ids[1]]


def test_the_seconds_of_created_are_those_of_the_filters(caller: Caller) -> None:
    [task_id] = make_tasks(caller, 1)
    created = caller.get(f"/{task_id}").json()["data"]["_read_only"]["created"]

    assert listed(caller, created_from=created, created_to=created) == [task_id]
    assert listed(caller, created_from=created + 1) == listed(caller, created_to=created - 1) == []


@pytest.mark.parametrize("far", [0, 1, 10**12, 10**18 - 1])
def test_a_period_may_reach_beyond_the_calendar(caller: Caller, far: int) -> None:
    [task_id] = make_tasks(caller, 1)

    is_past = far < 2
    assert listed(caller, created_from=far) == ([task_id] if is_past else [])
    assert listed(caller, created_to=far) == ([] if is_past else [task_id])


@pytest.mark.parametrize("name", ["created_from", "created_to"])
@pytest.mark.parametrize("value", ["", "x", "-1", "1.5", "2026-01-01", "1e9", "٣", "9" * 5000])
def test_a_bad_period_is_refused(caller: Caller, name: str, value: str) -> None:
    assert_faulty(caller.get(f"?{name}={quote(value)}"), name)


def test_times_are_whole_gregorian_seconds(caller: Caller) -> None:
    moment = datetime(1970, 1, 1, 0, 0, 1, 999_999, tzinfo=UTC)
    make_tasks(caller, 1, created_at=moment)

    [task] = caller.get().json()["data"]

    assert task["created"] == task["submit_timestamp"] == 62_167_219_201


def test_what_was_just_created_is_listed(caller: Caller) -> None:
    [task_id] = make_tasks(caller, 1)
    now = to_gregorian(timezone.now())

    assert listed(caller, created_from=(now or 0) - 60, created_to=now) == [task_id]
