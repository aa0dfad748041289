"""Who ends when memory runs out? A process of the pool, whose row is to blame, not its worker.

The kernel ends who has most memory, and may take the parent for one of its children. Without the
parent nobody works on until somebody starts it again; a child is replaced at once.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from celery.signals import worker_process_init

OOM_SCORE = Path("/proc/self/oom_score_adj")
FIRST_TO_GO = "500"  # thousandths of the memory there is, on top of what the process has


def take_over() -> None:
    """Let each process of a worker's pool offer itself when it starts."""
    worker_process_init.connect(offer_to_go_first)


def offer_to_go_first(**_: Any) -> None:
    """Tell the kernel; where it cannot be told, nothing changes."""
    with suppress(OSError):
        OOM_SCORE.write_text(FIRST_TO_GO)
