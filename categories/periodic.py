"""Runs the periodic jobs of categories that are due; any number of processes may call it."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime

from django.db import transaction
from django.utils import timezone

from categories import registry
from categories.contract import Category, PeriodicJob
from categories.models import PeriodicRun
from categories.running.failures import describe_fully

logger = logging.getLogger(__name__)

OWNER = "piston"  # stands for a category's name in records of the platform's own jobs


def run_due_jobs(now: datetime | None = None) -> int:
    """Run each job that became due since the last call, once; return how many ran.

    If several periods passed without a call, only the current one is run.
    """
    now = now or timezone.now()
    runs = {(run.category, run.job): run for run in PeriodicRun.objects.all()}
    count = 0
    for category in registry.all_categories():
        if registry.find_schema_problem(category):
            continue  # it stays due, for a process whose code fits the schema
        for job in category.periodic:
            due_at = beginning_of(job.every, now)
            run = runs.get((category.name, job.name))
            if run is None:
                remember(category, job, due_at)
            elif run.last_due_at < due_at:
                with registry.unchanged():
                    count += run_job(category, job, due_at)
    return count


def beginning_of(every: str, moment: datetime) -> datetime:
    """Return the beginning of the minute, hour or day (UTC) that contains a moment."""
    moment = moment.astimezone(UTC)
    smaller = {"minute": 2, "hour": 1, "day": 0}[every]
    parts = ("hour", "minute", "second")[smaller:]
    return moment.replace(microsecond=0, **dict.fromkeys(parts, 0))  # type: ignore[arg-type]


def remember(category: type[Category], job: PeriodicJob, due_at: datetime) -> None:
    """Record a new job; it first runs in the next full period."""
    PeriodicRun.objects.get_or_create(
        category=category.name, job=job.name, defaults={"last_due_at": due_at}
    )


def run_job(category: type[Category], job: PeriodicJob, due_at: datetime) -> bool:
    """Run a job unless another caller does; say whether this caller ran it.

    The job runs in a transaction that locks its record. A second caller skips a locked record; on
    SQLite it waits and then finds the record changed. A crash undoes both, and the next caller
    runs the job. If a job raises, its error is recorded, and it runs again in the next period.
    """
    records = PeriodicRun.objects.filter(category=category.name, job=job.name)
    with transaction.atomic():
        due = records.filter(last_due_at__lt=due_at)
        if due.select_for_update(skip_locked=True).first() is None:
            return False
        started = time.monotonic()
        error = attempt(category, job, due_at)
        records.update(
            last_due_at=due_at,
            last_run_at=timezone.now(),
            last_run_seconds=round(time.monotonic() - started, 3),
            last_error=error,
        )
    return True


def attempt(category: type[Category], job: PeriodicJob, due_at: datetime) -> str:
    """Run a job in a savepoint; return its error, "" if it succeeded."""
    try:
        with transaction.atomic():
            job.run(due_at)
    except Exception as error:
        logger.exception("the periodic job %s of %s failed", job.name, category.name)
        return describe_fully(error)
    return ""
