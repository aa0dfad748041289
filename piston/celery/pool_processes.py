"""Who goes first where memory or processors run short? A process of the pool stands back.

When memory runs out, the kernel ends who has most, and may take the parent for one of its children.
Without the parent nobody works on until somebody starts it again; a child is replaced at once. And
somebody who waits for an answer is served before rows that nobody watches: a task takes what
processors have left, which is everything where nothing else is to be done.

And what has lost its parent gets no more work, but may hold a claim, or a batch that is open.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

from billiard import current_process
from billiard.process import BaseProcess
from celery.signals import worker_process_init

from piston.processes import orphans
from piston.relied_on import SET_IN_INIT, rely_on

OOM_SCORE = Path("/proc/self/oom_score_adj")
OOM_SCORE_ADJUSTMENT = "500"  # thousandths of the memory there is, on top of what the process has

NICENESS = 10  # a tenth of the share of a process that is not nice, while both want to run
# Linux: niceness counts within a session only where the kernel groups processes by them
SESSION = Path("/proc/self/autogroup")


rely_on(__name__, BaseProcess, _parent_pid=SET_IN_INIT)


def take_over() -> None:
    """Let each process of a worker's pool stand back when it starts."""
    worker_process_init.connect(end_with_parent)
    worker_process_init.connect(offer_to_go_first)
    worker_process_init.connect(let_others_go_first)


def end_with_parent(**_: Any) -> None:
    """End at once when the worker is gone, also when that was before this could ask for it.

    Celery asks Linux too, but does not look whether the worker was gone already.
    """
    parent = current_process()._parent_pid
    if parent is not None:  # else this is the worker itself
        orphans.end_with_parent(parent, signal.SIGKILL)


def offer_to_go_first(**_: Any) -> None:
    """Tell the kernel; where it cannot be told, nothing changes."""
    with suppress(OSError):
        OOM_SCORE.write_text(OOM_SCORE_ADJUSTMENT)


def let_others_go_first(**_: Any) -> None:
    """Take a lower priority, unless there is one already; so does a session that is the worker's.

    Containers and services of systemd are weighed otherwise: see docs/deploying.md.
    """
    os.nice(max(0, NICENESS - os.nice(0)))
    if os.getsid(0) == os.getppid():
        with suppress(OSError):
            SESSION.write_text(str(NICENESS))
