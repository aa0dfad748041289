"""How do processes sleep whose clock is wrong? libfaketime breaks `time.sleep`: it raises EINVAL.

Python runs this file first of all when its folder is in PYTHONPATH.
"""

from __future__ import annotations

import select
import time


def sleep(seconds: float) -> None:
    """Wait by another system call."""
    select.select([], [], [], seconds)


time.sleep = sleep
