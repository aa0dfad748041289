"""How long may a row take? An alarm ends what does not return; a watchdog what does not hear it."""

from __future__ import annotations

import faulthandler
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from categories.errors import RowTimedOut
from categories.running import database_waits

RING_AGAIN_SECONDS = 1.0  # for code that catches every exception and goes on
STDERR = 2  # the descriptor: Celery puts a logger in the place of sys.stderr
DEAF_SECONDS = 3.0  # after the alarm, before the process ends: well before the claim expires


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise RowTimedOut inside the block when it takes longer.

    OperationalError comes out of it if that time was spent waiting for the database.
    """
    try:
        with alarm_after(seconds):
            yield
    except RowTimedOut as error:
        if error.was_asking:
            database_waits.blame_the_wait(error)
        raise


@contextmanager
def alarm_after(seconds: float) -> Iterator[None]:
    """Raise RowTimedOut inside the block when it takes longer, also where it is not heard.

    C code that never returns hears no alarm, and some Python code swallows it. Then a watchdog
    that needs neither ends the process, with a traceback in the worker's log; so the row is
    found as one that kills its worker (design §4.7). Both exist only in the main thread, where
    prefork workers run messages.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    is_over = False

    def ring(_signal: int, _frame: FrameType | None) -> None:
        if not is_over:  # an alarm on its way at the end must not strike what comes after
            raise RowTimedOut(
                f"timed out after {seconds:g} s", was_asking=database_waits.is_asked()
            )

    previous = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, RING_AGAIN_SECONDS)
    faulthandler.dump_traceback_later(seconds + DEAF_SECONDS, exit=True, file=STDERR)
    try:
        yield
    finally:
        is_over = True
        faulthandler.cancel_dump_traceback_later()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
