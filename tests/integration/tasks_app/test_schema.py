"""Does a process refuse work, with advice, if its release does not fit the database's schema?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from celery.exceptions import Reject
from django.db import OperationalError, connection
from django.db.backends.signals import connection_created
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client

from piston.celery import beat
from piston.database import schema as schema_module
from piston.database.schema import schema
from tasks_app import lifecycle, tasks
from tasks_app.models import Task
from tests import engine, plugins
from tests.broker import FakeBroker
from tests.factories import AccountFactory, make_client

pytestmark = pytest.mark.django_db

FUTURE = ("tasks_app", "9999_future")


@pytest.fixture
def newer() -> None:
    """Add a migration to the database that this code does not know."""
    MigrationRecorder(connection).record_applied(*FUTURE)
    schema.look_again()


@pytest.fixture
def older() -> None:
    """Remove a migration from the database that this code knows."""
    MigrationRecorder(connection).record_unapplied("tasks_app", "0001_tasks")
    schema.look_again()


def put(client: Any, account: Any) -> Any:
    return client.put(
        f"/v2/accounts/{account.pk}/tasks?category=trial&action=check",
        "name\nn0\n",
        content_type="text/csv",
    )


def test_the_database_that_was_migrated_fits() -> None:
    schema.look_again()

    assert schema.find_problem() is None


def test_our_own_apps_count_and_those_of_categories_by_themselves(older: None) -> None:
    MigrationRecorder(connection).record_applied("rates", "9999_future")

    problem = schema.find_problem()

    assert problem is not None
    assert "it lacks tasks_app.0001_tasks." in problem
    assert "rates" not in problem
    assert {label for label, _ in schema.known} >= {"accounts", "categories", "tasks_app"}


@pytest.mark.django_db(transaction=True)
def test_an_empty_database_lacks_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    class Nowhere(MigrationRecorder.Migration):  # type: ignore[name-defined,misc]
        class Meta:
            app_label = "nowhere"
            db_table = "nowhere_migrations"

    monkeypatch.setattr(MigrationRecorder, "_migration_class", Nowhere)

    assert schema_module.read_applied(schema.known) == frozenset()


@pytest.mark.parametrize("differs", ["newer", "older"])
def test_an_upload_and_a_start_are_answered_503(
    differs: str, broker: FakeBroker, request: pytest.FixtureRequest
) -> None:
    account = AccountFactory.create()
    client = make_client(account)
    task = engine.submit("check", "name", "n0", account=account)
    request.getfixturevalue(differs)

    answers = [put(client, account), client.patch(f"/v2/accounts/{account.pk}/tasks/{task.pk}")]

    assert [answer.status_code for answer in answers] == [503, 503]
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers)
    assert list(Task.objects.values_list("status", flat=True)) == ["pending"]


def test_reads_and_stops_are_answered(broker: FakeBroker, newer: None) -> None:
    schema._looked_at = float("inf")
    account = AccountFactory.create()
    client = make_client(account)
    task = engine.start(engine.submit("check", "name", "n0", account=account))
    schema.look_again()

    listed = client.get(f"/v2/accounts/{account.pk}/tasks")
    stopped = client.patch(f"/v2/accounts/{account.pk}/tasks/{task.pk}/stop")

    assert (listed.status_code, stopped.status_code) == (200, 200)


def test_a_start_in_the_admin_is_answered_503(
    broker: FakeBroker, admin_client: Client, newer: None
) -> None:
    task = engine.submit("check", "name", "n0")
    admin_client.raise_request_exception = False

    answer = admin_client.post(f"/admin/tasks_app/task/{task.pk}/step/start/")

    assert answer.status_code == 503
    assert engine.fresh(task).status == "pending"


def test_readyz_says_what_to_do(client: Client, newer: None) -> None:
    answer = client.get("/readyz")

    assert (answer.status_code, answer.json()["status"]) == (503, "unavailable")
    (reason,) = answer.json()["reasons"]
    assert "tasks_app.9999_future" in reason
    assert "Start this process from the newer release" in reason
    assert int(answer.headers["Retry-After"]) > 0
    assert client.get("/healthz").status_code == 200


def test_readyz_is_ok_again_as_soon_as_it_fits(client: Client, newer: None) -> None:
    before = client.get("/readyz").status_code
    MigrationRecorder(connection).record_unapplied(*FUTURE)

    answer = client.get("/readyz")

    assert (before, answer.status_code, answer.json()) == (503, 200, {"status": "ok"})


def test_readyz_says_only_that_the_database_is_unreachable(client: Client) -> None:
    def fail(*_: Any) -> None:
        raise OperationalError('connection to server at "10.0.0.7" failed: password')

    with connection.execute_wrapper(fail):
        answer = client.get("/readyz")

    assert answer.status_code == 503
    assert "does not answer" in answer.json()["reasons"][0]
    assert "10.0.0.7" not in answer.content.decode()


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_readyz_says_that_the_database_takes_no_writes(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    try:
        answer = client.get("/readyz")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SET default_transaction_read_only = off")

    assert answer.status_code == 503
    assert "takes no writes" in answer.json()["reasons"][0]


def test_readyz_is_only_looked_at(client: Client) -> None:
    assert client.post("/readyz").status_code == 405


def test_a_worker_does_not_begin_with_a_message(
    monkeypatch: pytest.MonkeyPatch, newer: None
) -> None:
    monkeypatch.setattr(schema_module, "MAX_WAIT_SECONDS", 0)
    monkeypatch.setattr(schema_module, "REST_SECONDS", 0)
    monkeypatch.setattr(schema_module.connection, "close", lambda: None)

    for message in (tasks.run_slice, tasks.assemble_output, tasks.settle_rows, tasks.sweep):
        with pytest.raises(Reject):
            message.before_start("an id", (), {})


def test_beat_sends_nothing_and_then_goes_on(
    monkeypatch: pytest.MonkeyPatch, newer: None, caplog: pytest.LogCaptureFixture
) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(beat.connection, "close", lambda: None)
    scheduler = beat.Scheduler.__new__(beat.Scheduler)
    monkeypatch.setattr(scheduler, "apply_async", lambda entry, **_: sent.append(entry))
    entry: Any = type("Entry", (), {"name": "sweep", "task": "tasks_app.sweep"})()

    scheduler.apply_entry(entry)
    MigrationRecorder(connection).record_unapplied(*FUTURE)
    schema.look_again()
    scheduler.apply_entry(entry)

    assert sent == [entry]
    assert "9999_future" in caplog.text


def test_the_engine_can_still_be_told_to_start_when_it_fits(broker: FakeBroker) -> None:
    task = engine.submit("check", "name", "n0")
    schema.look_again()

    lifecycle.start(task, engine.TESTER)

    assert engine.fresh(task).status == "executing"


@pytest.mark.django_db(transaction=True)
def test_a_look_that_fails_does_not_undo_a_start(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_known: object) -> Any:
        raise OperationalError("canceling statement due to lock timeout")

    task = engine.submit("check", "name", "n0")
    schema.look_again()
    schema.find_problem()
    monkeypatch.setattr(schema_module, "read_applied", fail)
    schema.look_again()

    lifecycle.start(task, engine.TESTER)

    assert engine.fresh(task).status == "executing"


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_role_that_may_not_read_what_was_migrated_is_told_what_to_grant(
    client: Client, broker: FakeBroker
) -> None:
    account = AccountFactory.create()
    client_of_account = make_client(account)
    task = engine.submit("check", "name", "n0", account=account)
    path = f"/v2/accounts/{account.pk}/tasks/{task.pk}"
    plugins.execute("CREATE ROLE least")
    plugins.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO least")
    plugins.execute("REVOKE ALL ON django_migrations FROM least")
    schema.look_again()
    try:
        with acting_as("least"):
            ready = client.get("/readyz")
            refused = client_of_account.patch(path)
        plugins.execute("GRANT SELECT ON django_migrations TO least")
        with acting_as("least"):
            ready_again = client.get("/readyz")
            started = client_of_account.patch(path)
    finally:
        plugins.execute("DROP OWNED BY least; DROP ROLE least")

    assert (ready.status_code, refused.status_code) == (503, 503)
    assert "GRANT SELECT ON django_migrations" in ready.json()["reasons"][0]
    assert (ready_again.status_code, started.status_code) == (200, 200)


@contextmanager
def acting_as(role: str) -> Iterator[None]:
    """Limit every connection to the rights of a role."""

    def take_role(connection: Any, **_: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET ROLE {role}")

    connection.close()
    connection_created.connect(take_role)
    try:
        yield
    finally:
        connection_created.disconnect(take_role)
        connection.close()


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_migrations_that_are_locked_are_not_waited_for(client: Client) -> None:
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("LOCK TABLE django_migrations")
            began = time.monotonic()

            answer = client.get("/readyz")
            took = time.monotonic() - began
    finally:
        other.close()

    assert answer.status_code == 200  # the last answer holds
    assert took < 2
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("5s",)


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_an_upload_that_a_lagging_sequence_of_ours_refuses_is_answered_503(
    broker: FakeBroker, caplog: pytest.LogCaptureFixture
) -> None:
    account = AccountFactory.create()
    client = make_client(account)
    put(client, account)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT setval('tasks_app_taskcsv_id_seq', min(id), false) FROM tasks_app_taskcsv"
        )

    answer = put(client, account)

    assert answer.status_code == 503
    assert "UniqueViolation" in caplog.text
