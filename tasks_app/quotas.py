"""Counts the tasks and bytes that each account keeps, and refuses more than its quota.

Each change updates the counters, so a check reads one indexed row. A transaction writes them last,
so it locks the row only while it commits. Of two uploads at once, the second sees the first one's
count.
"""

from __future__ import annotations

from django.conf import settings
from django.db.models import F, Sum

from tasks_app.errors import TooManyStoredBytes, TooManyTasks
from tasks_app.models import AccountUsage, Task, TaskCSV


def check_room(account_id: str, more_bytes: int = 1) -> int | None:
    """Return how many bytes the account may still store, None without a limit.

    Raises TooManyTasks or TooManyStoredBytes. Called before a body of `more_bytes` is read. Only
    `count_task` decides, because another upload may take the room meanwhile.
    """
    usage = AccountUsage.objects.filter(pk=account_id).first() or AccountUsage()
    refuse_without_room(usage, more_bytes)
    most_bytes = settings.PISTON_MAX_STORED_BYTES_PER_ACCOUNT
    return most_bytes - usage.stored_bytes if most_bytes else None


def refuse_without_room(usage: AccountUsage, more_bytes: int = 1) -> None:
    """Raise the error for the limit that one more task with `more_bytes` would exceed."""
    most_tasks = settings.PISTON_MAX_TASKS_PER_ACCOUNT
    most_bytes = settings.PISTON_MAX_STORED_BYTES_PER_ACCOUNT
    if most_tasks and usage.task_count >= most_tasks:
        raise TooManyTasks(most_tasks)
    if most_bytes and usage.stored_bytes + more_bytes > most_bytes:
        raise TooManyStoredBytes(most_bytes)


def count_task(task: Task) -> None:
    """Count a new task and its files; call it last in the transaction that creates them.

    Raises TooManyTasks or TooManyStoredBytes, which must roll that transaction back. If two
    processes race for the last free place, the lock on the account's row lets exactly one win.
    """
    stored_bytes = stored_bytes_of(task)
    Task.objects.filter(pk=task.pk).update(stored_bytes=stored_bytes)
    usage = lock_usage(task.account_id)
    refuse_without_room(usage, stored_bytes)
    add_to(usage, task_count=1, stored_bytes=stored_bytes)


def lock_usage(account_id: str) -> AccountUsage:
    """Return the account's usage and lock it until this transaction ends."""
    usage, _ = AccountUsage.objects.select_for_update().get_or_create(pk=account_id)
    return usage


def add_to(usage: AccountUsage, *, task_count: int, stored_bytes: int) -> None:
    """Add to an account's counters; negative numbers subtract."""
    AccountUsage.objects.filter(pk=usage.pk).update(
        task_count=F("task_count") + task_count, stored_bytes=F("stored_bytes") + stored_bytes
    )


def describe_full_output(task: Task) -> str:
    """Return why the task may write no more output, or "" if it may. Called before each slice."""
    most_bytes = settings.PISTON_MAX_OUTPUT_BYTES
    if not most_bytes or task.output_bytes < most_bytes:
        return ""
    return (
        f"its output has reached the limit of {most_bytes:,} bytes;"
        " what is left can be sent as a new task"
    )


def recount_files(task: Task) -> None:
    """Count a task's current files again, whatever the limit; call it last, like `count_task`.

    A task from a release without quotas has no count yet. It counts from now on.
    """
    stored_bytes = stored_bytes_of(task)
    counted = Task.objects.select_for_update().values_list("stored_bytes", flat=True)
    before = counted.get(pk=task.pk)
    Task.objects.filter(pk=task.pk).update(stored_bytes=stored_bytes)
    add_to(
        lock_usage(task.account_id),
        task_count=1 if before is None else 0,
        stored_bytes=stored_bytes - (before or 0),
    )


def uncount(task: Task) -> None:
    """Subtract a removed task and its files, unless they were never counted.

    Call it last in the transaction that removes the task.
    """
    tasks = Task.objects.filter(pk=task.pk)
    before = tasks.select_for_update().values_list("stored_bytes", flat=True).first()
    if before is not None:
        tasks.update(stored_bytes=None)
        add_to(lock_usage(task.account_id), task_count=-1, stored_bytes=-before)


def stored_bytes_of(task: Task) -> int:
    """Return the total size of a task's files."""
    files = TaskCSV.objects.filter(task=task)
    return int(files.aggregate(sum=Sum("size_bytes", default=0))["sum"])
