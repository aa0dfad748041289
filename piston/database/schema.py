"""Checks that the database's schema fits this code; a process for which it differs takes no work.

The check (ADR 26) compares the migrations of our own apps: those recorded in the database with
those of this code. Each category that we ship is compared separately. If its schema differs, a
worker leaves its tasks to other workers, and does the rest.
"""

from __future__ import annotations

import logging
import pkgutil
import time
from collections.abc import Iterable
from contextlib import nullcontext
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from celery.exceptions import Reject
from django.apps import AppConfig
from django.db import Error, connection, transaction
from django.db.migrations.recorder import MigrationRecorder

from piston.database import database_errors, locks

logger = logging.getLogger(__name__)

LOOK_SECONDS = 5.0  # between two checks of a process, or of a thread with its own `Schema`
SAY_SECONDS = 60.0  # between two lines in the log of a process
REST_SECONDS = 1.0  # between two checks of a process that waits
# With a message in hand. This is less than the time limit of messages. Waiting longer costs more
# than a new message.
MAX_WAIT_SECONDS = 120.0

LOOK_FIRST = (
    " None is there. Unless the installation is new, see first that DATABASE_URL names the right"
    " database, and that the role's search_path leads to its tables: `migrate` would make others,"
    " which are empty."
)

Migrations = frozenset[tuple[str, str]]  # app and name


class SchemaDiffers(Exception):
    """The database's schema does not fit this code."""


class Schema:
    """A comparison of schema and code, which asks the database every few seconds at most."""

    def __init__(self, *, is_of_plugin: bool = False) -> None:
        self.is_of_plugin = is_of_plugin  # whose author may have squashed migrations
        self.known: Migrations = frozenset()
        self._problem: str | None = None
        self._looked_at = float("-inf")  # monotonic seconds
        self._said: str | None = None
        self._said_at = float("-inf")

    def remember(self, configs: Iterable[AppConfig]) -> None:
        """Remember the migrations of these apps: an upgrade may replace their files later."""
        self.known = frozenset(
            (config.label, module.name)
            for config in configs
            if config.models_module and has_migrations(config)
            for module in pkgutil.iter_modules(import_module(f"{config.name}.migrations").__path__)
            if not module.ispkg and module.name[0] not in "_~"  # which Django passes over, too
        )

    def find_problem(self) -> str | None:
        """Return how schema and code differ, and what to do; None if they fit.

        While the database is away, the last answer holds. Call this outside of transactions,
        because it closes the connection then.
        """
        if time.monotonic() - self._looked_at >= LOOK_SECONDS:
            try:
                applied = read_applied(self.known)
                self._problem = (
                    describe_missing(self.known - applied)
                    if self.is_of_plugin
                    else describe(self.known, applied)
                )
            except Error as error:
                if not database_errors.is_away(error):
                    self._problem = describe_refusal(error)
                connection.close_if_unusable_or_obsolete()
            self._looked_at = time.monotonic()
        return self._problem

    def look_again(self) -> None:
        """Query the database at the next check."""
        self._looked_at = float("-inf")

    def fits(self) -> bool:
        """Tell whether the schema fits; if not, log that once a minute."""
        problem = self.find_problem()
        is_due = problem != self._said or time.monotonic() - self._said_at >= SAY_SECONDS
        if problem and is_due:
            self._said_at = time.monotonic()
            logger.error("This process takes no work. %s", problem)
        self._said = problem
        return problem is None

    def require(self) -> None:
        """Raise SchemaDiffers unless the schema fits."""
        if not self.fits():
            raise SchemaDiffers(self._problem)

    def wait(self) -> None:
        """Wait with a message in hand until the schema fits; the broker sends no more meanwhile.

        After two minutes the message goes back to the broker, for another worker.
        """
        until = time.monotonic() + MAX_WAIT_SECONDS
        while not self.fits():
            connection.close()
            time.sleep(REST_SECONDS)
            self.look_again()
            if time.monotonic() > until:
                raise Reject(self._problem, requeue=True)


def has_migrations(config: AppConfig) -> bool:
    """Say whether an app has migrations; a plugin's may have none."""
    return find_spec(f"{config.name}.migrations") is not None


def read_applied(known: Migrations) -> Migrations:
    """Return the migrations of our apps that the database has applied."""
    recorder = MigrationRecorder(connection)
    ours = recorder.migration_qs.filter(app__in={label for label, _ in known})
    # Do not wait for a locked table. SQLite has no table locks, but a transaction would wait there.
    guard = transaction.atomic() if locks.has_row_locks() else nullcontext()
    try:
        with guard:
            locks.wait_briefly()
            return frozenset(ours.values_list("app", "name"))
    except Error as error:
        if database_errors.is_away(error) or recorder.has_table():
            raise
        return frozenset()  # an empty database


def describe(known: Migrations, applied: Migrations) -> str | None:
    """Return in sentences how the two differ; None if they do not."""
    said = []
    if missing := describe_missing(known - applied, "" if applied else LOOK_FIRST):
        said.append(missing)
    if unknown := applied - known:
        said.append(
            f"This code is older than the database, which has {list_names(unknown)}."
            " Start this process from the newer release."
        )
    return " ".join(said) or None


def describe_missing(missing: Migrations, look_first: str = "") -> str | None:
    """Return which migrations the database lacks, and what to do; None if it lacks none."""
    if not missing:
        return None
    return (
        f"The database is older than this code: it lacks {list_names(missing)}.{look_first}"
        " Run `manage.py migrate` of this release; this process then goes on by itself."
    )


def describe_refusal(error: Error) -> str:
    """Return why the check failed, as a problem: an unknown schema may be a wrong one."""
    state = database_errors.state_of(error)
    kind = type(error.__cause__ or error).__name__
    said = f"{kind}, SQLSTATE {state}" if state else kind
    remedy = "Let the role of DATABASE_URL read that table"
    if state == database_errors.INSUFFICIENT_PRIVILEGE:
        remedy = "As its owner: GRANT SELECT ON django_migrations TO the role of DATABASE_URL"
    return (
        "Cannot tell whether the database's schema fits this code: the database"
        f" refuses to read django_migrations ({said}). {remedy};"
        " this process then goes on by itself."
    )


def say_at_start(**_: Any) -> None:
    """Log at the start of a process if it will take no work."""
    schema.fits()
    connection.close()  # the process may be about to fork


def list_names(migrations: Migrations) -> str:
    """Return the sorted names of migrations."""
    return ", ".join(f"{label}.{name}" for label, name in sorted(migrations))


schema = Schema()
