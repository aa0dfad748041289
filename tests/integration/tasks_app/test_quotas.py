"""Does each account keep no more than its quota, even if uploads race for the last place?"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from categories import registry
from piston.accounts.models import Account
from tasks_app import creating, lifecycle, quotas
from tasks_app.errors import QuotaExceeded, TooManyStoredBytes, TooManyTasks
from tasks_app.execution import batch_size, batches
from tasks_app.execution.ledger import Done
from tasks_app.models import AccountUsage, Segment, Task, TaskCSV
from tasks_app.states import TaskStatus
from tasks_app.upkeep import expiry, sweeping
from tests import engine
from tests.broker import FakeBroker
from tests.factories import AccountFactory, TaskFactory

pytestmark = pytest.mark.django_db(transaction=True)
LINES = ["name,do", "a,", "b,fail"]
SIZE = len("\n".join(LINES)) + 1  # bytes of in.csv


def usage(account: Account) -> tuple[int, int]:
    """Return the account's counters of tasks and bytes."""
    found = AccountUsage.objects.get(pk=account.pk)
    return found.task_count, found.stored_bytes


def kept(account: Account) -> tuple[int, int]:
    """Return the real numbers of tasks and bytes."""
    sizes = TaskCSV.objects.filter(task__account=account).values_list("size_bytes", flat=True)
    return Task.objects.filter(account=account).count(), sum(sizes)


def test_tasks_and_files_are_counted_from_their_creation_to_their_end(broker: FakeBroker) -> None:
    account = AccountFactory.create()

    first = engine.submit("check", *LINES, account=account)
    engine.submit("count", account=account)
    assert usage(account) == kept(account) == (2, SIZE)

    engine.start(first)
    broker.deliver_all()
    assert engine.fresh(first).status == "partial"
    assert usage(account) == kept(account) > (2, SIZE)

    lifecycle.remove(engine.fresh(first), engine.TESTER)
    assert usage(account) == (1, 0)
    sweeping.sweep()
    assert usage(account) == kept(account) == (1, 0)


def test_a_removed_task_makes_room_at_once(settings: Any) -> None:
    settings.PISTON_MAX_TASKS_PER_ACCOUNT = 1
    account = AccountFactory.create()
    task = engine.submit("check", *LINES, account=account)

    lifecycle.remove(task, engine.TESTER)

    assert usage(account) == (0, 0)
    engine.submit("check", *LINES, account=account)


def test_a_removal_that_is_rolled_back_makes_no_room() -> None:
    account = AccountFactory.create()
    task = engine.submit("check", *LINES, account=account)

    with transaction.atomic():
        lifecycle.remove(task, engine.TESTER)
        transaction.set_rollback(True)

    assert usage(account) == (1, SIZE)
    assert engine.fresh(task).stored_bytes == SIZE


@pytest.mark.parametrize("release", ["this one", "the one before"])
def test_a_task_that_two_sweepers_purge_is_uncounted_once(release: str) -> None:
    account = AccountFactory.create()
    task = engine.submit("check", *LINES, account=account)
    engine.submit("check", *LINES, account=account)
    if release == "this one":
        lifecycle.remove(task, engine.TESTER)
    else:  # it counted nothing
        with transaction.atomic():
            task.move_to(TaskStatus.REMOVED)
    seen_by_both = [engine.fresh(task), engine.fresh(task)]

    for seen in seen_by_both:
        expiry.purge(seen)

    assert usage(account) == kept(account) == (1, SIZE)


def test_a_task_that_the_release_before_made_is_counted_with_its_output(
    broker: FakeBroker,
) -> None:
    account = AccountFactory.create()
    task = engine.submit("check", *LINES, account=account)
    Task.objects.update(stored_bytes=None)
    AccountUsage.objects.all().delete()

    engine.start(task)
    broker.deliver_all()

    assert usage(account) == kept(account) > (1, SIZE)


@pytest.mark.parametrize(
    ("limit", "value", "error"),
    [
        ("PISTON_MAX_TASKS_PER_ACCOUNT", 1, TooManyTasks),
        ("PISTON_MAX_STORED_BYTES_PER_ACCOUNT", SIZE, TooManyStoredBytes),
        ("PISTON_MAX_STORED_BYTES_PER_ACCOUNT", 2 * SIZE - 1, TooManyStoredBytes),
    ],
)
def test_an_upload_over_the_quota_is_refused_and_leaves_nothing(
    settings: Any, limit: str, value: int, error: type[QuotaExceeded]
) -> None:
    account = AccountFactory.create()
    setattr(settings, limit, value)
    engine.submit("check", *LINES, account=account)

    with pytest.raises(error, match="remove tasks"):
        engine.submit("check", *LINES, account=account)

    assert usage(account) == kept(account) == (1, SIZE)
    assert not TaskCSV.objects.filter(task=None).exists()
    engine.submit("check", *LINES)  # of another account


def test_no_limit_is_a_limit_of_zero(settings: Any) -> None:
    settings.PISTON_MAX_TASKS_PER_ACCOUNT = settings.PISTON_MAX_STORED_BYTES_PER_ACCOUNT = 0
    account = AccountFactory.create()

    engine.submit("check", *LINES, account=account)
    engine.submit("check", *LINES, account=account)

    assert usage(account) == (2, 2 * SIZE)


def test_an_account_without_room_is_refused_before_its_body_is_read(settings: Any) -> None:
    settings.PISTON_MAX_TASKS_PER_ACCOUNT = 1
    account = AccountFactory.create()
    engine.submit("count", account=account)
    category, action = registry.get_action("trial", "check")
    order = creating.Order(account, account, category, action, engine.TESTER)
    body = io.BytesIO(b"name,do\na,\n")

    with pytest.raises(TooManyTasks):
        creating.submit_csv(order, body)

    assert body.tell() == 0


def test_an_upload_is_cut_off_where_the_room_ends(settings: Any) -> None:
    settings.PISTON_MAX_STORED_BYTES_PER_ACCOUNT = 2**20
    account = AccountFactory.create()
    category, action = registry.get_action("trial", "check")
    order = creating.Order(account, account, category, action, engine.TESTER)
    body = io.BytesIO(b"name,do\n" + b"a,\n" * 2**20)

    with pytest.raises(TooManyStoredBytes):
        creating.submit_csv(order, body)

    assert body.tell() <= 2 * 2**20
    assert not TaskCSV.objects.exists()


@pytest.mark.parametrize(
    ("limit", "value"),
    [("PISTON_MAX_TASKS_PER_ACCOUNT", 2), ("PISTON_MAX_STORED_BYTES_PER_ACCOUNT", 2 * SIZE)],
)
def test_of_uploads_that_race_for_the_last_place_one_gets_it(
    settings: Any, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    account = AccountFactory.create()
    engine.submit("check", *LINES, account=account)
    setattr(settings, limit, value)
    all_are_there = threading.Barrier(4)
    monkeypatch.setattr(
        creating, "create_with_input", after(all_are_there, creating.create_with_input)
    )

    def upload() -> bool:
        try:
            engine.submit("check", *LINES, account=account)
        except QuotaExceeded:
            return False
        finally:
            connections.close_all()
        return True

    with ThreadPoolExecutor(4) as pool:
        accepted = [task.result() for task in [pool.submit(upload) for _ in range(4)]]

    assert sum(accepted) == 1
    assert usage(account) == kept(account) == (2, 2 * SIZE)


def test_a_place_that_is_free_at_the_check_is_given(settings: Any) -> None:
    settings.PISTON_MAX_TASKS_PER_ACCOUNT = 1
    settings.PISTON_MAX_STORED_BYTES_PER_ACCOUNT = 0
    account = AccountFactory.create()
    engine.submit("count", account=account)
    task = TaskFactory.create(account=account)

    def free_while_looking(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if not (sql.startswith("SELECT") and "accountusage" in sql):
            return execute(sql, *rest)
        change = "UPDATE tasks_app_accountusage SET task_count = %s"
        with connection.cursor() as cursor:
            cursor.cursor.execute(change.replace("%s", "0"))
        answer = execute(sql, *rest)
        with connection.cursor() as cursor:
            cursor.cursor.execute(change.replace("%s", "1"))
        return answer

    with transaction.atomic(), connection.execute_wrapper(free_while_looking):
        quotas.count_task(task)

    assert usage(account)[0] == 2


def after(barrier: threading.Barrier, function: Callable[..., Any]) -> Callable[..., Any]:
    """Call `function` once all threads have reached it: by then all have found room."""

    def waiting(*arguments: Any) -> Any:
        barrier.wait(30)
        return function(*arguments)

    return waiting


def test_reading_the_usage_costs_one_query_for_any_account() -> None:
    account = AccountFactory.create()
    for _ in range(3):
        engine.submit("count", account=account)

    with CaptureQueriesContext(
        connection,
    ) as queries:
        quotas.check_room(account.pk)

    assert len(queries) == 1


def test_a_task_whose_output_passes_the_limit_is_cut_short_between_two_slices(
    settings: Any, broker: FakeBroker
) -> None:
    settings.PISTON_MAX_OUTPUT_BYTES = 250_000
    settings.PISTON_SLICE_MILLISECONDS = 0
    lines = ["name,do", *(f"n{index}," for index in range(40))]
    task = engine.start(engine.submit("swell", *lines))
    Segment.objects.update(batch_size=1)

    broker.deliver_all()

    task = engine.fresh(task)
    assert task.status == "partial"
    assert "the limit of 250,000 bytes" in task.reason
    assert 250_000 <= task.output_bytes < 2_000_000
    assert 0 < task.success_count < 40
    assert len(engine.read(task, "unprocessed.csv")) == 1 + 40 - task.success_count


def test_a_full_output_does_not_end_a_task_that_has_nothing_left(
    settings: Any, broker: FakeBroker
) -> None:
    task = engine.start(engine.submit("finish", "name,do", "a,"))
    with engine.claimed("m") as run:
        batches.run_next_batch(run)  # and then it dies, before `finish`
    broker.queue.clear()
    settings.PISTON_MAX_OUTPUT_BYTES = 1
    Task.objects.update(dispatched_at=None)

    sweeping.sweep()
    broker.deliver_all()

    assert engine.fresh(task).status == "success"


def test_the_next_batch_is_as_large_as_its_output_may_be() -> None:
    task = engine.start(engine.submit("swell", "name,do", "a,"))
    with engine.claimed("m") as run:
        run.segment.batch_size = 100
        hundred = Done(row_count=100, success_count=100, failure_count=0, output=b"", was_last=True)

        small = batch_size.next_size(run, replace(hundred, output=b"x" * 1_000), 0.01)
        large = batch_size.next_size(
            run, replace(hundred, output=b"x" * 2 * batch_size.PART_BYTES), 0.01
        )

    assert small > 100
    assert large == 50
    assert task.output_bytes == 0
