"""How much may one account keep? Counted where it changes, so that a check is one indexed row.

The counters are written last in their transactions: the row is locked for no longer than a commit
takes, and of two uploads at once the second one sees what the first one added.
"""

from __future__ import annotations

from django.conf import settings
from django.db.models import F, Sum

from tasks_app.errors import TooManyStoredBytes, TooManyTasks
from tasks_app.models import AccountUsage, Task, TaskCSV


def check_room(account_id: str, more_bytes: int = 1) -> int | None:
    """Return how many bytes the account may still store, None without a limit.

    Raises TooManyTasks or TooManyStoredBytes: asked before a body is read, of which `more_bytes`
    are announced. Only `count_task` decides, since others may be faster.
    """
    usage = AccountUsage.objects.filter(pk=account_id).first() or AccountUsage()
    refuse_without_room(usage, more_bytes)
    most_bytes = settings.PISTON_MAX_STORED_BYTES_PER_ACCOUNT
    return most_bytes - usage.stored_bytes if most_bytes else None


def refuse_without_room(usage: AccountUsage, more_bytes: int = 1) -> None:
    """Raise the error that says which limit one more task with so many bytes would pass."""
    most_tasks = settings.PISTON_MAX_TASKS_PER_ACCOUNT
    most_bytes = settings.PISTON_MAX_STORED_BYTES_PER_ACCOUNT
    if most_tasks and usage.task_count >= most_tasks:
        raise TooManyTasks(most_tasks)
    if most_bytes and usage.stored_bytes + more_bytes > most_bytes:
        raise TooManyStoredBytes(most_bytes)


def count_task(task: Task) -> None:
    """Count a new task and its files; call it last in the transaction that creates them.

    Raises TooManyTasks or TooManyStoredBytes, which have to roll that transaction back. Of two
    processes racing for the last place exactly one gets it: the account's row is locked.
    """
    stored_bytes = stored_bytes_of(task)
    Task.objects.filter(pk=task.pk).update(stored_bytes=stored_bytes)
    usage = lock_usage(task.account_id)
    refuse_without_room(usage, stored_bytes)
    add_to(usage, task_count=1, stored_bytes=stored_bytes)


def lock_usage(account_id: str) -> AccountUsage:
    """Return what the account keeps, which changes no more until this transaction ends."""
    usage, _ = AccountUsage.objects.select_for_update().get_or_create(pk=account_id)
    return usage


def add_to(usage: AccountUsage, *, task_count: int, stored_bytes: int) -> None:
    """Count so much more, or less, for an account."""
    AccountUsage.objects.filter(pk=usage.pk).update(
        task_count=F("task_count") + task_count, stored_bytes=F("stored_bytes") + stored_bytes
    )


def describe_full_output(task: Task) -> str:
    """Return why the task may write no more output, "" when it may; asked before each slice."""
    most_bytes = settings.PISTON_MAX_OUTPUT_BYTES
    if not most_bytes or task.output_bytes < most_bytes:
        return ""
    return (
        f"its output has reached the limit of {most_bytes:,} bytes;"
        " what is left can be sent as a new task"
    )


def recount_files(task: Task) -> None:
    """Count the files that a task has by now, whatever the limit; call it as `count_task`.

    One that is not counted was made by the release before there were limits: it counts from now.
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
    """Count a removed task and its files no more; one that is not counted, not again.

    Call it last in the transaction that removes it.
    """
    tasks = Task.objects.filter(pk=task.pk)
    before = tasks.select_for_update().values_list("stored_bytes", flat=True).first()
    if before is not None:
        tasks.update(stored_bytes=None)
        add_to(lock_usage(task.account_id), task_count=-1, stored_bytes=-before)


def stored_bytes_of(task: Task) -> int:
    """Return the size of a task's files, all together."""
    files = TaskCSV.objects.filter(task=task)
    return int(files.aggregate(sum=Sum("size_bytes", default=0))["sum"])
