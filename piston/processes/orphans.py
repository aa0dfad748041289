"""Ends a process when its parent is gone.

Linux reports that at once. Elsewhere a thread checks it once a second.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
CHECK_SECONDS = 1.0


def end_with_parent(parent: int, signal_number: int = signal.SIGTERM) -> None:
    """Send this process a signal when `parent`, the process that started it, is gone.

    `parent` is the id that the parent itself passed on. If the parent is gone already, the signal
    comes at once. Each process has to call this itself, since a fork does not inherit it. On Linux
    the parent's *thread* that forked counts as the parent.
    """
    if not is_told_by_linux(signal_number):
        thread = threading.Thread(target=watch, args=(parent, signal_number), daemon=True)
        thread.start()
    elif os.getppid() != parent:  # the parent ended before Linux was asked
        os.kill(os.getpid(), signal_number)


def is_told_by_linux(signal_number: int) -> bool:
    """Ask the kernel for the signal; return False if it does not offer that."""
    if sys.platform != "linux":
        return False
    library = ctypes.CDLL(None, use_errno=True)
    return not library.prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)


def watch(parent: int, signal_number: int) -> None:
    """Wait until the parent is gone, then send this process the signal."""
    while os.getppid() == parent:
        time.sleep(CHECK_SECONDS)
    os.kill(os.getpid(), signal_number)
