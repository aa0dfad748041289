"""Runs the system's own hourly and daily jobs, started by the sweeper.

Categories declare other periodic jobs. The database has the time of each job's last run. One of
several concurrent sweepers claims a run, in one UPDATE; an interrupted run is not repeated before
the next period.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from django.conf import settings
from django.utils import timezone

from categories.models import PeriodicRun
from categories.periodic import OWNER, beginning_of
from categories.running.failures import describe_fully
from piston.database.locks import WaitBriefly
from piston.http.admin_sign_in import forget_attempts
from tasks_app.models.clock import read_database_clock
from tasks_app.queue import sending

CHECK_STORAGE = "tasks_app.check_storage"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """A job that runs once in every hour or day."""

    name: str
    every: str  # hour or day
    run: Callable[[], object]


def clear_sessions() -> None:
    """Delete expired admin sessions; Django does not do this by itself."""
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()


def request_storage_check() -> None:
    """Send the message for the storage check, which may take longer than a sweep."""
    sending.send(CHECK_STORAGE)


JOBS = (
    Job("forget_sign_ins", "hour", forget_attempts),
    Job("clear_sessions", "day", clear_sessions),
    Job("check_storage", "day", request_storage_check),
)


def run_due_upkeep() -> None:
    """Run the jobs that are due; in a new installation, each first runs in the next period."""
    now = read_database_clock()
    runs = {run.job: run for run in PeriodicRun.objects.filter(category=OWNER)}
    for job in JOBS:
        due_at = beginning_of(job.every, now)
        if job.name not in runs:
            PeriodicRun.objects.get_or_create(
                category=OWNER, job=job.name, defaults={"last_due_at": due_at}
            )
            continue
        records = PeriodicRun.objects.filter(WaitBriefly(), category=OWNER, job=job.name)
        if runs[job.name].last_due_at < due_at and records.filter(last_due_at__lt=due_at).update(
            last_due_at=due_at, last_run_at=timezone.now()
        ):
            run_job(job)


def run_job(job: Job) -> None:
    """Run a job, and record its duration and error."""
    started = time.monotonic()
    error = ""
    try:
        job.run()
    except Exception as failure:
        logger.exception("The job %s failed", job.name)
        error = describe_fully(failure)
    PeriodicRun.objects.filter(category=OWNER, job=job.name).update(
        last_run_seconds=round(time.monotonic() - started, 3), last_error=error
    )
