"""How long may a row take? An alarm ends Python code that does not return by itself."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from tasks_app.errors import RowTimedOut

RING_AGAIN_SECONDS = 1.0  # for code that catches every exception and goes on


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise RowTimedOut inside the block when it takes longer.

    The alarm exists only in the main thread, where prefork workers run messages.
    Elsewhere, and for C code that never returns, the message's hard time limit
    ends the process, and the claim's expiry lets another one go on.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise RowTimedOut(f"timed out after {seconds:g} s")

    previous = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, RING_AGAIN_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
