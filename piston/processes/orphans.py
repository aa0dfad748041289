"""How does a process end when the process that started it is gone?

Linux tells it at once. Elsewhere a thread looks once a second.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
LOOK_SECONDS = 1.0


def end_with_parent(parent: int, signal_number: int = signal.SIGTERM) -> None:
    """Send this process a signal when `parent`, the process that started it, is gone.

    `parent` is the number that the parent itself passed on: it may be gone already, and then the
    signal comes at once. Each process has to call this for itself, since a fork does not inherit
    it. On Linux the *thread* of the parent that forked counts as the parent.
    """
    if not is_told_by_linux(signal_number):
        thread = threading.Thread(target=watch, args=(parent, signal_number), daemon=True)
        thread.start()
    elif os.getppid() != parent:  # it went before Linux was asked
        os.kill(os.getpid(), signal_number)


def is_told_by_linux(signal_number: int) -> bool:
    """Ask the kernel for the signal; False where it has no such service."""
    if sys.platform != "linux":
        return False
    library = ctypes.CDLL(None, use_errno=True)
    return not library.prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)


def watch(parent: int, signal_number: int) -> None:
    """Wait until the parent is gone, then send this process the signal."""
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)
    os.kill(os.getpid(), signal_number)
