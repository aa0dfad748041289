"""Can an installation migrate while web processes of the previous release still run?"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps as apps_of_today
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor

from piston.accounts.models import Account
from tasks_app import lifecycle
from tasks_app.models import AccountUsage, Task, TaskCSV
from tasks_app.models.task import new_task_id
from tasks_app.upkeep import expiry
from tests import engine
from tests.factories import AccountFactory

pytestmark = pytest.mark.django_db(transaction=True)
BEFORE = ("tasks_app", "0003_indeterminate_rows")
counting = import_module("tasks_app.migrations.0008_count_what_is_there")


def migrate_to(*targets: tuple[str, str]) -> Any:
    """Migrate the database to a state; return the models of that state."""
    executor = MigrationExecutor(connection)
    executor.migrate(list(targets))
    return executor.loader.project_state(list(targets)).apps


@pytest.fixture
def before() -> Iterator[Any]:
    """Yield the models of the previous release, on its database; migrate it back afterwards."""
    newest = MigrationExecutor(connection).loader.graph.leaf_nodes()
    yield migrate_to(BEFORE)
    migrate_to(*newest)


def make_task(apps: Any, account: Account, **values: Any) -> str:
    """Make a task with an input of seven bytes as the code of that release does."""
    task = apps.get_model("tasks_app", "Task").objects.create(
        id=new_task_id(), account_id=account.pk, auth_account_id=account.pk, **values
    )
    apps.get_model("tasks_app", "TaskCSV").objects.create(
        key=task.pk, task=task, name="in.csv", size_bytes=7
    )
    apps.get_model("tasks_app", "Effect").objects.create(
        task=task, row_number=1, key=task.pk, claim=1
    )
    return str(task.pk)


def usage(account: Account) -> tuple[int, int]:
    found = AccountUsage.objects.get(pk=account.pk)
    return found.task_count, found.stored_bytes


def test_a_migration_counts_existing_tasks_while_the_previous_release_runs(
    before: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "MOST_AT_ONCE", 2)
    accounts = [AccountFactory.create(), AccountFactory.create()]
    for account in (*accounts, accounts[0], accounts[0]):
        make_task(before, account)
    make_task(before, accounts[0], status="removed")

    migrate_to(*MigrationExecutor(connection).loader.graph.leaf_nodes())

    assert [usage(account) for account in accounts] == [(3, 21), (1, 7)]
    late = make_task(before, accounts[1])
    columns = ("output_bytes", "indeterminate_count", "stored_bytes")
    assert Task.objects.values_list(*columns).get(pk=late) == (0, 0, None)
    lifecycle.remove(Task.objects.get(pk=late), engine.TESTER)
    expiry.purge_removed_tasks()
    assert [usage(account) for account in accounts] == [(3, 21), (1, 7)]
    assert not TaskCSV.objects.filter(is_given_up=False, task=None).exists()


def test_a_count_that_was_cut_off_goes_on_beside_uploads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "MOST_AT_ONCE", 2)
    engine.submit("check", "name,do", "a,")  # an empty folder would look like a lost disk
    account = AccountFactory.create()
    for _ in range(5):
        make_task(apps_of_today, account)
    with transaction.atomic():
        counting.count_some_after("", apps_of_today, "default")
    engine.submit("check", "name,do", "a,", account=account)

    for _ in range(2):
        with connection.schema_editor(atomic=False) as editor:
            counting.count_what_is_there(apps_of_today, editor)

    sizes = TaskCSV.objects.filter(task__account=account).values_list("size_bytes", flat=True)
    assert usage(account) == (6, sum(sizes))
