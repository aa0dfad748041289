"""How is one block worked on while the next is on its way? By another thread, one block at a time.

That pays where the work lets go of Python's global lock, as hashing and the compiled scan do.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

SHORTEST_BLOCK = 64 * 1024  # bytes; less is done sooner than handed over

_threads = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="beside")  # started when needed


class Beside:
    """Do something with one block after the other, in order, while the caller gets the next.

    What a block raises, the next call raises: at most one block later, and none after it is
    worked on.
    """

    def __init__(self, work: Callable[[bytes], object]) -> None:
        self._work = work
        self._under_way: Future[object] | None = None

    def take(self, block: bytes) -> None:
        """Begin with a block, once the one before is done."""
        self.wait()
        if len(block) < SHORTEST_BLOCK:
            self._work(block)
        else:
            self._under_way = _threads.submit(self._work, block)

    def wait(self) -> None:
        """Wait until all that was taken is done."""
        if self._under_way is not None:
            self._under_way.result()
            self._under_way = None
