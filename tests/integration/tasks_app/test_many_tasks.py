"""Do lists, workers and the sweeper find a task among many without reading each one?"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.db import connection
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext

from piston.accounts.models import Account
from tasks_app import quotas
from tasks_app.api import listing
from tasks_app.execution import claiming
from tasks_app.models import Segment, Task, TaskCSV, TaskEvent
from tasks_app.states import TaskStatus
from tasks_app.upkeep import sweeping
from tests.broker import FakeBroker
from tests.factories import AccountFactory, TaskFactory

pytestmark = pytest.mark.django_db
TASKS = 3_000
WHOLE_TABLE = re.compile(r"(?:Seq Scan on|SCAN) (tasks_app_(?:task|segment|taskcsv|taskevent))\b")
QUERIES = (
    "",
    "filter_status=failure",
    "filter_not_status=success",
    "filter_category=none",
    "filter_action=none",
    "filter_category=rates&filter_action=none",
    "filter_category=none&filter_status=success",
    'filter_category=["none","no"]',
    "created_to=63600000000",
)


@pytest.fixture
def account() -> Account:
    """An account with most of the tasks, all of which have ended."""
    mine, other = AccountFactory.create(), AccountFactory.create()
    template = TaskFactory.build(account=mine, status=TaskStatus.SUCCESS)
    values = {name: getattr(template, name) for name in ("status", "started_at", "ended_at")}
    tasks = Task.objects.bulk_create(
        Task(account=mine if number % 3 else other, auth_account=mine, category="rates", **values)
        for number in range(TASKS)
    )
    Segment.objects.bulk_create(Segment(task=task, index=0, is_done=True) for task in tasks)
    TaskCSV.objects.bulk_create(TaskCSV(task=task, name="in.csv", key=task.pk) for task in tasks)
    TaskEvent.objects.bulk_create(TaskEvent(task_id=task.pk, kind="created") for task in tasks)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return mine


def tables_read_by(act: Callable[[], object]) -> list[str]:
    """Return the tables of tasks that the queries of `act` scan row by row."""
    with CaptureQueriesContext(connection) as queries:
        act()
    how = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
    asked = [query["sql"] for query in queries if query["sql"].startswith(("SELECT", "UPDATE"))]
    assert asked
    plans = []
    for statement in asked:
        with connection.cursor() as cursor:
            cursor.execute(f"{how} {statement}")
            plans += [str(line) for line in cursor.fetchall()]
    return [table for plan in plans for table in WHOLE_TABLE.findall(plan)]


def test_no_list_scans_a_table(account: Account) -> None:
    lists = {query: QueryDict(f"page_size=5&{query}") for query in QUERIES}

    read = {
        query: tables_read_by(lambda asked=asked: listing.list_tasks(account, asked))  # type: ignore[misc]
        for query, asked in lists.items()
    }

    assert read == {query: [] for query in QUERIES}


@pytest.mark.postgresql
def test_a_filter_without_matches_uses_an_index(account: Account) -> None:
    plan = listing.select(account).filter(category="none")[:51].explain()

    assert "task_list_by_kind" in plan


@pytest.mark.postgresql
def test_workers_and_sweepers_scan_no_table(account: Account, broker: FakeBroker) -> None:
    read = {
        "claim": tables_read_by(lambda: claiming.claim_next("a-message", 20)),
        "release": tables_read_by(lambda: claiming.release_claims("a-message")),
        "sweep": tables_read_by(sweeping.sweep),
        "room": tables_read_by(lambda: quotas.check_room(account.pk)),
    }

    assert read == {"claim": [], "release": [], "sweep": [], "room": []}


@pytest.mark.postgresql
@pytest.mark.parametrize("query", ["", "filter_status=success"])
def test_an_accounts_list_does_not_scan_the_tasks_of_other_accounts(
    account: Account, query: str
) -> None:
    condition = listing.read_filters(QueryDict(query))

    plan = listing.select(account).filter(condition)[:51].explain()

    assert "task_newest" not in plan


@pytest.mark.postgresql
def test_the_list_of_all_accounts_is_read_in_its_order(account: Account) -> None:
    plan = Task.objects.visible().of_all_accounts().order_by("-created_at", "-id")[:50].explain()

    assert "task_newest" in plan
