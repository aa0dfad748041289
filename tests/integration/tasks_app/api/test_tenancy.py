"""Who may call which route? Every route and kind of client, with the exact answer.

A refusal changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.core import serializers
from django.test import Client
from django.utils import timezone

from piston.accounts.models import Account
from tasks_app.models import CSVName, Segment, Task, TaskCSV, TaskEvent
from tasks_app.states import TaskStatus
from tests.broker import FakeBroker
from tests.factories import AccountFactory, SegmentFactory, TaskCSVFactory, TaskFactory, make_token
from tests.integration.tasks_app.api.calls import GOOD_CSV, assert_error, cause

pytestmark = pytest.mark.django_db

PEOPLE = [
    "anonymous",
    "bad token",
    "expired token",
    "revoked token",
    "disabled account",
    "own",
    "child",
    "parent",
    "grandparent",
    "sibling",
    "unrelated",
    "super-duper admin",
]
MAY_ACT = {"own", "parent", "grandparent", "super-duper admin"}
UNKNOWN = {"anonymous", "bad token", "expired token", "revoked token", "disabled account"}
QUERY = "?category=trial&action=check"


@dataclass(frozen=True)
class Route:
    """A call, and the answer to a client who may make it: a status and a class of body."""

    method: str
    path: str
    status: int
    body: str


ROUTES = [
    Route("GET", "", 200, "list"),
    Route("PUT", QUERY, 201, "task"),
    Route("GET", "/{pending}", 200, "task"),
    Route("HEAD", "/{pending}", 200, "nothing"),
    Route("PATCH", "/{pending}", 200, "task"),
    Route("PATCH", "/{executing}/stop", 200, "task"),
    Route("PATCH", "/{broken}/retry", 200, "task"),
    Route("DELETE", "/{ended}", 200, "task"),
    Route("GET", "/{ended}/input", 200, "csv"),
    Route("GET", "/{ended}/output", 200, "csv"),
    Route("GET", "/{ended}?accept=csv&csv_name=in.csv", 200, "csv"),
    Route("OPTIONS", "/{pending}", 200, "options"),
]


class World:
    """A family of accounts, strangers, and the tasks of one account: the target."""

    def __init__(self) -> None:
        now = timezone.now()
        grandparent = AccountFactory.create()
        parent = AccountFactory.create(parent=grandparent)
        self.target: Account = AccountFactory.create(parent=parent)
        self.accounts: dict[str, Account] = {
            "own": self.target,
            "child": AccountFactory.create(parent=self.target),
            "parent": parent,
            "grandparent": grandparent,
            "sibling": AccountFactory.create(parent=parent),
            "unrelated": AccountFactory.create(),
            "super-duper admin": AccountFactory.create(is_superadmin=True),
        }
        disabled = AccountFactory.create(is_superadmin=True)
        self.tokens: dict[str, str | None] = {
            "anonymous": None,
            "bad token": "0" * 64,
            "expired token": make_token(
                self.target, created_at=now - timedelta(hours=2), expires_at=now
            ),
            "revoked token": make_token(self.target, revoked_at=now),
            "disabled account": make_token(disabled),
            **{name: make_token(account) for name, account in self.accounts.items()},
        }
        Account.objects.filter(pk=disabled.pk).update(is_enabled=False)
        self.tasks = make_tasks(self.target)

    def call(self, who: str, method: str, address: str) -> Any:
        """Make a call as one of the clients."""
        token = self.tokens[who]
        headers = {"X-Auth-Token": token} if token else {}
        body = GOOD_CSV if method == "PUT" else b""
        return Client(headers=headers).generic(method, address, body, "text/csv")


def make_tasks(account: Account) -> dict[str, str]:
    """Return the ids of tasks that wait, run, have ended and are broken, one of each."""
    ids = {}
    for name, status in {
        "pending": TaskStatus.PENDING,
        "executing": TaskStatus.EXECUTING,
        "ended": TaskStatus.SUCCESS,
        "broken": TaskStatus.INTERNAL_ERROR,
    }.items():
        task = TaskFactory.create(
            account=account, category="trial", action="check", status=status, total_count=2
        )
        TaskCSVFactory.create(task=task, content=GOOD_CSV)
        TaskCSVFactory.create(task=task, name=CSVName.OUTPUT, content=GOOD_CSV)
        SegmentFactory.create(task=task)
        ids[name] = task.pk
    return ids


def everything() -> str:
    """Return all stored rows of the engine."""
    tables = (Task, TaskCSV, Segment, TaskEvent)
    return serializers.serialize(
        "json", [row for table in tables for row in table.objects.order_by("pk")]
    )


def assert_body(response: Any, kind: str) -> None:
    if kind == "csv":
        assert response.headers["Content-Type"] == "text/csv"
        assert response.getvalue() == GOOD_CSV
    elif kind == "nothing":
        assert response.content == b""
    else:
        found = response.json()["data"]
        assert response.json()["status"] == "success"
        is_of_kind = {
            "list": isinstance(found, list),
            "task": list(found) == ["_read_only"],
            "options": found == {},
            "help": list(found) == ["tasks"],
        }
        assert is_of_kind[kind], found


def assert_refused(response: Any, status: int, message: str, data: Any = None) -> None:
    if response.request["REQUEST_METHOD"] == "HEAD":
        assert (response.status_code, response.content) == (status, b"")
        return
    assert_error(response, status, message, data or {"message": message.replace("_", " ")})


@pytest.fixture
def world(broker: FakeBroker) -> World:
    """All accounts, and tasks of one of them."""
    return World()


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
@pytest.mark.parametrize("who", PEOPLE)
def test_the_tasks_of_an_account(world: World, who: str, route: Route) -> None:
    path = route.path.format(**world.tasks)
    before = everything()

    response = world.call(who, route.method, f"/v2/accounts/{world.target.pk}/tasks{path}")

    if who in UNKNOWN - {"anonymous"} or (who == "anonymous" and route.method != "OPTIONS"):
        assert_refused(response, 401, "invalid_credentials")
    elif who in MAY_ACT or route.method == "OPTIONS":
        assert response.status_code == route.status
        assert_body(response, route.body)
        return
    else:
        assert_refused(response, 403, "forbidden")
    assert everything() == before


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
@pytest.mark.parametrize("who", PEOPLE)
def test_an_account_that_does_not_exist(world: World, who: str, route: Route) -> None:
    path = route.path.format(**world.tasks)
    before = everything()

    response = world.call(who, route.method, f"/v2/accounts/{'0' * 32}/tasks{path}")

    if who in UNKNOWN - {"anonymous"} or (who == "anonymous" and route.method != "OPTIONS"):
        assert_refused(response, 401, "invalid_credentials")
    elif route.method == "OPTIONS":
        assert response.status_code == 200
    else:
        assert_refused(response, 404, "bad identifier", ["0" * 32])
    assert everything() == before


@pytest.mark.parametrize("route", ROUTES[1:], ids=lambda route: f"{route.method} {route.path}")
@pytest.mark.parametrize("who", PEOPLE)
def test_tasks_without_an_account_in_the_path(world: World, who: str, route: Route) -> None:
    account = world.accounts.get(who, world.target)
    path = route.path.format(**make_tasks(account))
    before = everything()

    response = world.call(who, route.method, f"/v2/tasks{path}")

    if who in UNKNOWN - {"anonymous"} or (who == "anonymous" and route.method != "OPTIONS"):
        assert_refused(response, 401, "invalid_credentials")
    elif who == "super-duper admin" or route.method == "OPTIONS":
        assert response.status_code == route.status
        assert_body(response, route.body)
        return
    else:
        assert_refused(response, 403, "forbidden")
    assert everything() == before


@pytest.mark.parametrize("who", PEOPLE)
def test_help_is_for_everybody_but_with_a_bad_token(world: World, who: str) -> None:
    response = world.call(who, "GET", "/v2/tasks")

    if who in UNKNOWN - {"anonymous"}:
        assert_refused(response, 401, "invalid_credentials")
    else:
        assert response.status_code == 200
        assert_body(response, "help")


@pytest.mark.parametrize("who", sorted(set(PEOPLE) - UNKNOWN))
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_a_task_is_not_found_through_another_account(world: World, who: str, method: str) -> None:
    account = AccountFactory.create(parent=world.accounts[who])
    task_id = world.tasks["ended"]
    before = everything()

    response = world.call(who, method, f"/v2/accounts/{account.pk}/tasks/{task_id}")

    if method == "PATCH":
        assert_refused(response, 404, "bad_identifier", cause(task_id))
    else:
        assert_refused(response, 404, "bad identifier", [task_id])
    assert everything() == before


def test_the_super_duper_admin_has_the_same_tasks_with_and_without_its_account(
    world: World,
) -> None:
    admin = world.accounts["super-duper admin"]
    who = "super-duper admin"

    made = world.call(who, "PUT", f"/v2/tasks{QUERY}").json()["data"]["_read_only"]
    also = world.call(who, "PUT", f"/v2/accounts/{admin.pk}/tasks{QUERY}").json()["data"]

    path = f"/v2/accounts/{admin.pk}/tasks/{made['id']}"
    assert world.call(who, "GET", path).json()["data"]["_read_only"] == made
    path = f"/v2/tasks/{also['_read_only']['id']}"
    assert world.call(who, "GET", path).json()["data"] == also
    assert made["account_id"] == also["_read_only"]["account_id"] == admin.pk
