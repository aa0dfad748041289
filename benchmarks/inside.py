"""How does a benchmark run tasks in its own process, on a real database?

`with django_on(url)` first; only then can anything be imported that has models.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from piston.accounts.models import Account
    from tasks_app.models import Task

COMMAND = "accounts.create"  # the request id that events are recorded with


@contextmanager
def django_on(url: str | None = None) -> Iterator[Path]:
    """Set Django up on a migrated database (None: SQLite in a new folder); yield its data folder.

    Once per process. Messages go to a folder that nobody reads: whoever measures runs the slices.
    """
    with tempfile.TemporaryDirectory(prefix="piston-bench-") as folder:
        os.environ["PISTON_DATA_DIR"] = folder
        os.environ["SECRET_KEY"] = "only for benchmarks"
        os.environ["DJANGO_SETTINGS_MODULE"] = "piston.settings"
        os.environ.pop("CELERY_BROKER_URL", None)
        os.environ.pop("DATABASE_URL", None)
        if url:
            os.environ["DATABASE_URL"] = url
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        yield Path(folder)


def submit(category: str, action: str, file: BinaryIO, *, account: Account | None = None) -> Task:
    """Upload a CSV for an account (None: one of its own), as a request does, and start the task."""
    from categories import registry
    from piston.accounts.models import Account
    from tasks_app import creating, lifecycle
    from tasks_app.events import Actor

    account = account or Account.objects.create(name="benchmark")
    actor = Actor(f"account:{account.pk}")
    found = registry.get_action(category, action)
    task = creating.submit_csv(creating.Order(account, account, *found, actor), file)
    lifecycle.start(task, actor)
    return task


def work(task: Task) -> None:
    """Run slices as one worker, one after the other, until no row of the task is left."""
    from tasks_app.execution import worker

    for number in range(1_000_000):
        task.refresh_from_db()
        if task.is_assembled or not task.segments.all().unfinished().exists():
            return
        worker.run_slice(task.pk, f"benchmark-{number}")


def assemble(task: Task) -> None:
    """Write its output files and end it, as a worker does."""
    from tasks_app.execution import assembly

    assembly.assemble(task.pk)
