from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tasks_app import events
from tasks_app.events import Actor
from tasks_app.models import EventKind, TaskEvent
from tests.factories import TaskFactory
from tests.integration.tasks_app.admin.conftest import StaffClient
from tests.integration.tasks_app.admin.urls import EVENTS


def shown(client: Client, query: dict[str, str] | None = None) -> set[int]:
    """Return the keys of the events on the first page of the list."""
    answer = client.get(EVENTS, query or {})
    assert answer.status_code == 200
    return {event.pk for event in answer.context["cl"].result_list}


def make_event(**facts: Any) -> TaskEvent:
    """Return an event of a new task."""
    task = TaskFactory()
    return TaskEvent.objects.create(
        **{
            "task_id": task.pk,
            "account_id": task.account_id,
            "kind": EventKind.CREATED,
            "actor": f"account:{task.account_id}",
            "request_id": task.pk[:8],
            **facts,
        }
    )


def test_events_are_listed_and_read(staff: StaffClient) -> None:
    event = make_event(actor="<b>", kind=EventKind.STOPPED, old_status="executing")
    client = staff("tasks_app.view_taskevent")

    listed = client.get(EVENTS).content.decode()
    page = client.get(f"{EVENTS}{event.pk}/change/").content.decode()

    for text in (listed, page):
        assert event.task_id in text
        assert "&lt;b&gt;" in text
        assert "executing → " in text


@pytest.mark.parametrize("address", ["add/", "{pk}/delete/"])
def test_events_are_not_written_by_hand(superuser: Client, address: str) -> None:
    event = make_event()

    answer = superuser.post(f"{EVENTS}{address.format(pk=event.pk)}", {"post": "yes"})

    assert answer.status_code == 403


def test_an_event_cannot_be_changed(superuser: Client) -> None:
    event = make_event()

    answer = superuser.post(f"{EVENTS}{event.pk}/change/", {"actor": "nobody"})

    assert answer.status_code == 403


@pytest.mark.parametrize("given", [(), ("tasks_app.view_task",)])
def test_the_list_needs_its_own_permission(staff: StaffClient, given: tuple[str, ...]) -> None:
    assert staff(*given).get(EVENTS).status_code == 403


@pytest.mark.parametrize(
    "query",
    [
        "{event.task_id}",
        "{event.account_id}",
        "{event.request_id}",
        "root",
        "staff:root",
    ],
)
def test_events_are_found_by_whole_names(superuser: Client, query: str) -> None:
    make_event()
    event = make_event(actor="staff:root", request_id="request-77")

    assert shown(superuser, {"q": query.format(event=event)}) == {event.pk}


def test_events_are_filtered_by_kind(superuser: Client) -> None:
    make_event()
    event = make_event(kind=EventKind.ROW_BLAMED)

    assert shown(superuser, {"kind__exact": "row_blamed"}) == {event.pk}


def test_events_are_filtered_by_day(superuser: Client) -> None:
    make_event()
    event = make_event(at=datetime(2026, 3, 1, 23, 59, tzinfo=UTC))

    assert shown(superuser, {"from": "2026-03-01", "to": "2026-03-01"}) == {event.pk}


def test_an_event_outlives_its_task(superuser: Client) -> None:
    task = TaskFactory()
    events.record(task, EventKind.CREATED, Actor("system"))
    task.delete()

    assert len(shown(superuser)) == 1


def test_the_number_of_queries_does_not_grow_with_the_events(superuser: Client) -> None:
    make_event()
    with CaptureQueriesContext(connection) as few:
        superuser.get(EVENTS)
    for _ in range(60):
        make_event()

    with CaptureQueriesContext(connection) as many:
        superuser.get(EVENTS)

    assert len(many) == len(few)
    about_events = [query["sql"] for query in many if "tasks_app_taskevent" in query["sql"]]
    assert about_events
    by_key = '"tasks_app_taskevent"."id" IN ('
    assert all("LIMIT" in sql or by_key in sql for sql in about_events)
