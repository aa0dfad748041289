"""Does the database's schema fit this code? One that is older or newer takes no work (ADR 26).

What is compared are the migrations of our own apps: those that stand in the database with those
that came with this code. Each category that ships is compared by itself: where it differs, a worker
leaves its tasks to others, and does the rest.
"""

from __future__ import annotations

import logging
import pkgutil
import time
from collections.abc import Iterable
from contextlib import nullcontext
from importlib import import_module
from typing import Any

from celery.exceptions import Reject
from django.apps import AppConfig
from django.db import Error, connection, transaction
from django.db.migrations.recorder import MigrationRecorder

from piston.database import database_errors, locks

logger = logging.getLogger(__name__)

LOOK_SECONDS = 5.0  # between two looks of a process, or of a thread that has one of its own
SAY_SECONDS = 60.0  # between two lines in the log of a process
REST_SECONDS = 1.0  # between two looks of a process that waits
# with one message in hand: less than the time limit of messages, more than a new one is worth
MAX_WAIT_SECONDS = 120.0

LOOK_FIRST = (
    " None is there. Unless the installation is new, see first that DATABASE_URL names the right"
    " database, and that the role's search_path leads to its tables: `migrate` would make others,"
    " which are empty."
)

Migrations = frozenset[tuple[str, str]]  # app and name


class SchemaDiffers(Exception):
    """The database's schema is not the one that this code is for."""


class Schema:
    """What this process knows of both sides; it asks the database every few seconds at most."""

    def __init__(self) -> None:
        self.known: Migrations = frozenset()
        self._problem: str | None = None
        self._looked_at = float("-inf")  # monotonic seconds
        self._said: str | None = None
        self._said_at = float("-inf")

    def remember(self, configs: Iterable[AppConfig]) -> None:
        """Note which migrations these apps have: later, other files may stand in their place."""
        self.known = frozenset(
            (config.label, module.name)
            for config in configs
            if config.models_module
            for module in pkgutil.iter_modules(import_module(f"{config.name}.migrations").__path__)
        )

    def find_problem(self) -> str | None:
        """Return how schema and code differ, and what to do; None when they fit.

        While nobody can say, because the database is away, the last answer holds. Ask outside of
        transactions: the connection is closed then.
        """
        if time.monotonic() - self._looked_at >= LOOK_SECONDS:
            try:
                self._problem = describe(self.known, read_applied(self.known))
            except Error as error:
                if not database_errors.is_away(error):
                    self._problem = describe_refusal(error)
                connection.close_if_unusable_or_obsolete()
            self._looked_at = time.monotonic()
        return self._problem

    def look_again(self) -> None:
        """Ask the database at the next question."""
        self._looked_at = float("-inf")

    def fits(self) -> bool:
        """Say whether it fits; if not, the log says so as well, once a minute."""
        problem = self.find_problem()
        is_due = problem != self._said or time.monotonic() - self._said_at >= SAY_SECONDS
        if problem and is_due:
            self._said_at = time.monotonic()
            logger.error("This process takes no work. %s", problem)
        self._said = problem
        return problem is None

    def require(self) -> None:
        """Raise SchemaDiffers unless it fits."""
        if not self.fits():
            raise SchemaDiffers(self._problem)

    def wait(self) -> None:
        """Wait with a message in hand until it fits; the broker hands out no more meanwhile.

        After two minutes the message goes back to the broker: others may do it.
        """
        until = time.monotonic() + MAX_WAIT_SECONDS
        while not self.fits():
            connection.close()
            time.sleep(REST_SECONDS)
            self.look_again()
            if time.monotonic() > until:
                raise Reject(self._problem, requeue=True)


def read_applied(known: Migrations) -> Migrations:
    """Return which migrations of our apps the database has had."""
    recorder = MigrationRecorder(connection)
    ours = recorder.migration_qs.filter(app__in={label for label, _ in known})
    # a table that is locked is not waited for; on SQLite a transaction would be, and nobody locks
    guard = transaction.atomic() if locks.may_be_foreign() else nullcontext()
    try:
        with guard:
            locks.wait_briefly()
            return frozenset(ours.values_list("app", "name"))
    except Error as error:
        if database_errors.is_away(error) or recorder.has_table():
            raise
        return frozenset()  # an empty database


def describe(known: Migrations, applied: Migrations) -> str | None:
    """Return how the two differ, in sentences; None when they do not."""
    said = []
    if missing := known - applied:
        said.append(
            f"The database is older than this code: it lacks {list_names(missing)}."
            f"{'' if applied else LOOK_FIRST}"
            " Run `manage.py migrate` of this release; this process then goes on by itself."
        )
    if unknown := applied - known:
        said.append(
            f"This code is older than the database, which has {list_names(unknown)}."
            " Start this process from the newer release."
        )
    return " ".join(said) or None


def describe_refusal(error: Error) -> str:
    """Return why nobody can tell whether they differ; what is unknown may be wrong."""
    state = database_errors.state_of(error)
    kind = type(error.__cause__ or error).__name__
    said = f"{kind}, SQLSTATE {state}" if state else kind
    remedy = "Let the role of DATABASE_URL read that table"
    if state == database_errors.INSUFFICIENT_PRIVILEGE:
        remedy = "As its owner: GRANT SELECT ON django_migrations TO the role of DATABASE_URL"
    return (
        "Nobody can tell whether the database's schema is the one of this code: the database"
        f" refuses to read django_migrations ({said}). {remedy};"
        " this process then goes on by itself."
    )


def say_at_start(**_: Any) -> None:
    """Say in the log of a process that has just begun whether it will take work."""
    schema.fits()
    connection.close()  # it may be going to fork


def list_names(migrations: Migrations) -> str:
    """Return the names of migrations, in order."""
    return ", ".join(f"{label}.{name}" for label, name in sorted(migrations))


schema = Schema()
