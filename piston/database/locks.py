"""Skips rows that another session has locked, so that a process never waits long for work.

A person in psql, a report or a forgotten transaction may lock a row for hours. Then only the work
on that row stops, and the log names the holder of the lock. SQLite is not concerned: it has one
lock for the whole database.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any, TypeVar

from django.db import DatabaseError, OperationalError, connection, transaction
from django.db.models import BooleanField, Expression, Model, QuerySet

logger = logging.getLogger(__name__)

M = TypeVar("M", bound=Model)

BRIEF_MILLISECONDS = 250  # to wait for a lock: one of our own commits takes less
VAIN_SECONDS = 60.0  # how long a wait that timed out is remembered
LOCK_NOT_AVAILABLE = "55P03"  # SQLSTATE
WAIT_BRIEFLY = f"set_config('lock_timeout', '{BRIEF_MILLISECONDS}', true)"  # in this transaction
OURS = "a process of ours, for a moment"  # not worth a warning: many processes work at once
LOCKERS = "SELECT DISTINCT xmax::text FROM {table} WHERE {key} = ANY(%s) AND xmax <> '0'"
SHARERS = "SELECT xid::text FROM pg_get_multixact_members(%s::xid)"
# A session with the same name as this one passes, unless its transaction is 10 s old.
IS_PASSING = """
    (split_part(activity.application_name, ' ', 1)
        = split_part(current_setting('application_name'), ' ', 1)
    AND clock_timestamp() - activity.xact_start < interval '10 s') IS TRUE
"""
HOLDERS = """
    SELECT held.pid, prepared.gid, {is_passing}, activity.application_name, activity.state
    FROM pg_locks AS held
    LEFT JOIN pg_stat_activity AS activity USING (pid)
    LEFT JOIN pg_prepared_xacts AS prepared ON prepared.transaction = held.transactionid
    WHERE held.locktype = 'transactionid' AND held.granted AND held.transactionid::text = ANY(%s)
"""


class WaitBriefly(Expression):
    """A WHERE condition that is True, and makes the statement fail if a lock is not free soon.

    It holds for the rest of the transaction, too. `is_locked` is true of the error.
    """

    output_field = BooleanField()

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        """Return a condition that is true."""
        return "1 = 1", ()

    def as_postgresql(self, compiler: Any, connection: Any) -> Any:
        """Return a condition that is true and sets the lock time-out, which saves a statement."""
        return f"{WAIT_BRIEFLY} <> ''", ()


def wait_briefly() -> None:
    """Shorten the lock time-out for the rest of this transaction."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {WAIT_BRIEFLY}")


@contextmanager
def request_transaction(*lock: str) -> Iterator[None]:
    """Open a request's transaction, with a short lock time-out if `lock` timed out recently.

    The first request to meet a lock waits as long as the session allows: it may only be a queue of
    our own. Later requests wait briefly until one succeeds. Otherwise all threads of this process
    would soon wait for one account's row. `lock` names that row.
    """
    waited_at = waited_in_vain.get(lock)
    try:
        with transaction.atomic():
            if waited_at is not None and monotonic() - waited_at < VAIN_SECONDS:
                wait_briefly()
            yield
    except OperationalError as error:
        if is_locked(error):
            note_vain_wait(lock)
        raise
    waited_in_vain.pop(lock, None)


# when a wait of this process for a lock last timed out; monotonic seconds
waited_in_vain: dict[tuple[str, ...], float] = {}


def note_vain_wait(lock: tuple[str, ...]) -> None:
    """Remember that a wait for a lock timed out, and forget old time-outs."""
    now = waited_in_vain[lock] = monotonic()
    for other, waited_at in list(waited_in_vain.items()):
        if now - waited_at > VAIN_SECONDS:
            waited_in_vain.pop(other, None)


def is_locked(error: BaseException) -> bool:
    """Tell whether an error means that a lock could not be acquired."""
    return getattr(error.__cause__, "sqlstate", None) == LOCK_NOT_AVAILABLE


def has_row_locks() -> bool:
    """Tell whether this database locks rows one by one, and can skip locked ones."""
    return bool(connection.features.has_select_for_update_skip_locked)


def unlocked(rows: QuerySet[M]) -> list[M]:
    """Return the rows that are not locked now, as many as `rows` asks for."""
    if not has_row_locks():
        return list(rows)
    with transaction.atomic():
        return list(but_locked(rows))


def but_locked(rows: QuerySet[M], *related: str) -> QuerySet[M]:
    """Lock the rows and their `related` ones, and skip rows that another session has locked."""
    return rows.select_for_update(skip_locked=True, no_key=True, of=("self", *related))


def unless_locked(model: type[Model], key: Any, act: Callable[[], int]) -> int:
    """Return what `act` returns for a row; 0, after a warning, if the row is locked.

    Inside a transaction the error is raised, since the transaction cannot go on.
    """
    try:
        return act()
    except OperationalError as error:
        if connection.in_atomic_block or not is_locked(error):
            raise
        warn_of_lock(model, key)
        return 0


def warn_of_lock(model: type[Model], key: Any) -> None:
    """Log that a row stands still and who has locked it, unless that passes soon."""
    holder = find_holder(model, key) or "somebody that PostgreSQL does not name"
    if holder == OURS:
        return
    logger.warning("%s %s stands still: its row is locked by %s", model.__name__, key, holder)


def find_holder(model: type[Model], *keys: Any) -> str:
    """Return who has locked one of the rows, as far as PostgreSQL knows; "" if unknown."""
    if not keys or not has_row_locks():
        return ""
    table = connection.ops.quote_name(model._meta.db_table)
    column = connection.ops.quote_name(str(model._meta.pk.column))
    lockers = fetch(LOCKERS.format(table=table, key=column), list(keys))
    holders = HOLDERS.format(is_passing=IS_PASSING)
    found = fetch(holders, [locker for (locker,) in lockers])
    for locker in () if found else lockers:
        found += fetch(holders, find_sharers(*locker))
    return describe_holder(*found[0]) if found else ""


def fetch(query: str, value: Any) -> list[tuple[Any, ...]]:
    """Return the rows that a query with one value finds."""
    with connection.cursor() as cursor:
        cursor.execute(query, [value])
        return list(cursor.fetchall())


def find_sharers(locker: str) -> list[str]:
    """Return the transactions that stand together for a row's `xmax`; none if it is only one.

    A number that is none of several transactions' is an error.
    """
    try:
        with transaction.atomic():
            return [sharer for (sharer,) in fetch(SHARERS, locker)]
    except DatabaseError:
        return []


def describe_holder(
    pid: int | None, prepared: str | None, is_passing: bool, *more: str | None
) -> str:
    """Return who it is that has a lock."""
    if pid is None:
        name = f"'{prepared}'" if prepared else "without a name"
        return f"the prepared transaction {name}, until COMMIT PREPARED or ROLLBACK PREPARED"
    if is_passing:
        return OURS
    said = ", ".join(each for each in more if each) or "of another role"
    return f"PostgreSQL's process {pid} ({said})"
