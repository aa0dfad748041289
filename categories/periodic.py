"""Which periodic jobs are due, and who runs them? Any number of callers may ask at any time."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime

from django.db import transaction
from django.utils import timezone

from categories import registry
from categories.contract import Category, PeriodicJob
from categories.models import PeriodicRun

logger = logging.getLogger(__name__)

MAX_ERROR_LENGTH = 1_000  # characters
OWNER = "piston"  # of the platform's own jobs, in the place of a category's name


def run_due_jobs(now: datetime | None = None) -> int:
    """Run what became due since the last call, each minute, hour or day once; return how many.

    Of periods that passed while nobody asked, only the current one is run.
    """
    now = now or timezone.now()
    runs = {(run.category, run.job): run for run in PeriodicRun.objects.all()}
    count = 0
    for category in registry.all_categories():
        if registry.find_schema_problem(category):
            continue  # it stays due, for a process whose code fits
        for job in category.periodic:
            due_at = beginning_of(job.every, now)
            run = runs.get((category.name, job.name))
            if run is None:
                remember(category, job, due_at)
            elif run.last_due_at < due_at:
                count += run_job(category, job, due_at)
    return count


def beginning_of(every: str, moment: datetime) -> datetime:
    """Return when the minute, hour or day (UTC) of a moment began."""
    moment = moment.astimezone(UTC)
    smaller = {"minute": 2, "hour": 1, "day": 0}[every]
    parts = ("hour", "minute", "second")[smaller:]
    return moment.replace(microsecond=0, **dict.fromkeys(parts, 0))  # type: ignore[arg-type]


def remember(category: type[Category], job: PeriodicJob, due_at: datetime) -> None:
    """Note a job that is new here: its first run is the next full period's."""
    PeriodicRun.objects.get_or_create(
        category=category.name, job=job.name, defaults={"last_due_at": due_at}
    )


def run_job(category: type[Category], job: PeriodicJob, due_at: datetime) -> bool:
    """Run a job unless another caller has; say whether it was this one.

    The record and the job share a transaction that holds the record: a second caller passes by
    (on SQLite it waits, and then finds the record changed); a crash undoes both, and the next
    caller runs the job. A job that raises leaves its error, and waits for its next period.
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
    """Run a job in a savepoint; return its error, "" when it was good."""
    try:
        with transaction.atomic():
            job.run(due_at)
    except Exception as error:
        logger.exception("the periodic job %s of %s failed", job.name, category.name)
        return f"{type(error).__name__}: {error}"[:MAX_ERROR_LENGTH]
    return ""
