"""Limits the time of a row with an alarm, and with a watchdog if the row ignores the alarm."""

from __future__ import annotations

import faulthandler
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from categories.errors import RowTimedOut
from categories.running import database_waits

ALARM_INTERVAL_SECONDS = 1.0  # between alarms, for code that catches every exception and goes on
STDERR = 2  # the descriptor, because Celery replaces sys.stderr with a logger
WATCHDOG_SECONDS = 3.0  # from the alarm to the end of the process; the claim must not expire first


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise RowTimedOut inside the block if it takes longer.

    If the row was kept waiting by the database, raise OperationalError instead.
    """
    try:
        with alarm_after(seconds):
            yield
    except RowTimedOut as error:
        if error.was_querying:
            database_waits.raise_if_kept_waiting(error)
        raise


@contextmanager
def alarm_after(seconds: float) -> Iterator[None]:
    """Raise RowTimedOut inside the block if it takes longer; end the process if that fails.

    C code that never returns gets no alarm, and some Python code swallows the exception. Then a
    watchdog ends the process, with a traceback in the worker's log. So the row counts as a poison
    row, one that kills its worker (design §4.7). Both work only in the main thread, where prefork
    workers run messages.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    is_over = False

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        if not is_over:  # a late alarm must not interrupt the code after the block
            raise RowTimedOut(
                f"timed out after {seconds:g} s", was_querying=database_waits.is_querying()
            )

    previous = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds, ALARM_INTERVAL_SECONDS)
    try:
        with watchdog(seconds):
            yield
    finally:
        is_over = True
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


@contextmanager
def watchdog(seconds: float) -> Iterator[None]:
    """End the process if the block takes WATCHDOG_SECONDS longer than it may.

    The watchdog needs no Python code to run, so C code that never returns cannot stop it.
    """
    faulthandler.dump_traceback_later(seconds + WATCHDOG_SECONDS, exit=True, file=STDERR)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
