"""Gives a pool's processes a low priority for memory and processors, and ends orphaned ones.

It also tells the rest of the code when such a process starts and ends.

When memory runs out, the kernel kills the process that uses most, which may be the parent. Without
the parent, all work stops until someone restarts it. A child is replaced at once. Also, clients
that wait for an answer come before rows: a task gets the processor time that is left, which is all
of it if nothing else runs.

A process that lost its parent gets no more work, but may hold a claim or an open batch.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

from billiard import current_process
from billiard.process import BaseProcess
from celery.signals import worker_process_init, worker_process_shutdown

from piston.processes import lifetime, orphans
from piston.relied_on import SET_IN_INIT, rely_on

OOM_SCORE = Path("/proc/self/oom_score_adj")
# In thousandths of the machine's memory; the kernel adds it to the memory that the process uses.
OOM_SCORE_ADJUSTMENT = "500"

NICENESS = 10  # while both want to run, a tenth of the share of a process with niceness 0
# Linux: if the kernel groups processes by session, niceness counts only within a session
SESSION = Path("/proc/self/autogroup")


rely_on(__name__, BaseProcess, _parent_pid=SET_IN_INIT)


def install() -> None:
    """Set up each process of a worker's pool when it starts."""
    worker_process_init.connect(end_with_parent)
    worker_process_init.connect(raise_oom_score)
    worker_process_init.connect(lower_priority)
    worker_process_init.connect(tell_start)
    worker_process_shutdown.connect(tell_end)


def end_with_parent(**_: Any) -> None:
    """End at once when the worker is gone, even if it went before this call.

    Celery asks Linux for this, too, but does not check whether the worker is gone already.
    """
    parent = current_process()._parent_pid
    if parent is not None:  # else this is the worker itself
        orphans.end_with_parent(parent, signal.SIGKILL)


def raise_oom_score(**_: Any) -> None:
    """Make the kernel kill this process first when memory runs out, where that is possible."""
    with suppress(OSError):
        OOM_SCORE.write_text(OOM_SCORE_ADJUSTMENT)


def lower_priority(**_: Any) -> None:
    """Lower the priority, unless it is low already; also that of a session the worker leads.

    Containers and systemd services are weighted in another way: see docs/deploying.md.
    """
    os.nice(max(0, NICENESS - os.nice(0)))
    if os.getsid(0) == os.getppid():
        with suppress(OSError):
            SESSION.write_text(str(NICENESS))


def tell_start(**_: Any) -> None:
    """Let others know that this process can run rows from now on."""
    lifetime.started.send(None, role="worker")


def tell_end(**_: Any) -> None:
    """Let others know that this process runs no more rows."""
    lifetime.ending.send(None)
