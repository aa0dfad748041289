"""Tests that a worker leaves only tasks of categories whose tables are of another release."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from categories import periodic, registry
from categories.models import PeriodicRun
from categories.registry import schemas
from piston.database.schema import schema
from tasks_app import creating
from tasks_app.execution import compatibility
from tasks_app.models import Task
from tasks_app.models.clock import database_time
from tasks_app.upkeep import sweeping
from tests import engine
from tests.broker import FakeBroker
from tests.factories import AccountFactory, make_client

pytestmark = pytest.mark.django_db(transaction=True)

sides = pytest.mark.parametrize("side", ["newer", "older"])
NEWER = ("services", "9999_future")
OLDER = ("services", "0001_initial")


@pytest.fixture(autouse=True)
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compatibility, "_handovers", {})
    monkeypatch.setattr(compatibility, "sleep", lambda _: None)


@pytest.fixture(autouse=True)
def repaired() -> Iterator[None]:
    yield
    repair()


def differ(side: str) -> None:
    """Let the database have a migration of the category that this code lacks, or the reverse."""
    recorder = MigrationRecorder(connection)
    if side == "newer":
        recorder.record_applied(*NEWER)
    else:
        recorder.record_unapplied(*OLDER)
    schemas.of_categories["services"].look_again()


def repair() -> None:
    recorder = MigrationRecorder(connection)
    recorder.record_unapplied(*NEWER)
    if OLDER not in recorder.applied_migrations():
        recorder.record_applied(*OLDER)
    schemas.of_categories["services"].look_again()


def submit() -> Task:
    """Submit a task of a category that ships."""
    account = AccountFactory.create()
    category, action = registry.get_action("services", "descendant_quantities")
    order = creating.Order(account, account, category, action, engine.TESTER)
    return creating.submit_without_input(order)


def let_time_pass(broker: FakeBroker) -> None:
    Task.objects.exclude(dispatched_at=None).update(dispatched_at=database_time(-60))
    sweeping.sweep()
    broker.deliver_all()


def test_every_category_that_ships_is_compared() -> None:
    assert set(schemas.of_categories) == {"number_management", "rates", "services"}
    assert all(each.known for each in schemas.of_categories.values())
    for each in schemas.of_categories.values():
        each.look_again()
        assert each.find_problem() is None


@sides
def test_its_tasks_are_left_and_others_are_done(
    side: str, broker: FakeBroker, caplog: pytest.LogCaptureFixture
) -> None:
    left = engine.start(submit())
    done = engine.start(engine.submit("check", "name", "n0"))
    differ(side)

    broker.deliver_all()
    let_time_pass(broker)

    assert (engine.fresh(left).status, engine.fresh(done).status) == ("executing", "success")
    assert engine.fresh(left).unfit_since is not None
    assert not left.segments.exclude(claim=0).exists()
    name = NEWER if side == "newer" else OLDER
    assert f"Task {left.pk} is left to another worker: of the category 'services'" in caplog.text
    assert ".".join(name) in caplog.text


@sides
def test_they_go_on_when_it_fits(side: str, broker: FakeBroker) -> None:
    task = engine.start(submit())
    differ(side)
    broker.deliver_all()
    before = engine.fresh(task).status

    repair()
    let_time_pass(broker)

    assert (before, engine.fresh(task).status) == ("executing", "success")
    assert engine.fresh(task).unfit_since is None


@sides
def test_a_start_is_answered_503(side: str, broker: FakeBroker) -> None:
    task = submit()
    differ(side)
    client = make_client(task.account)

    answer = client.patch(f"/v2/accounts/{task.account_id}/tasks/{task.pk}")

    assert answer.status_code == 503
    assert engine.fresh(task).status == "pending"


@sides
def test_after_a_day_the_task_ends(side: str, broker: FakeBroker) -> None:
    task = engine.start(submit())
    differ(side)
    broker.deliver_all()
    Task.objects.update(unfit_since=database_time(-86_401))

    let_time_pass(broker)

    task = engine.fresh(task)
    assert task.status == "internal_error"
    assert task.reason == "the category 'services' cannot be used"


@sides
def test_its_jobs_stay_due(side: str) -> None:
    differ(side)
    now = datetime(2026, 3, 1, 0, 5, tzinfo=UTC)
    PeriodicRun.objects.create(
        category="services", job="take_quantities", last_due_at=now - timedelta(days=2)
    )

    periodic.run_due_jobs(now)

    run = PeriodicRun.objects.get(category="services")
    assert run.last_due_at < now - timedelta(days=1)


@sides
def test_the_process_itself_takes_work(side: str) -> None:
    differ(side)
    schema.look_again()

    assert schema.find_problem() is None
