"""When does Python look for garbage in cycles? Between two batches, not again and again in one.

The collector walks over all young objects whenever there are 700 more of them, and a batch is tens
of thousands that all live until it is committed: looking through them cost half of a worker's time.
They are in no cycles, so they go when the batch does. What cycles an action makes waits for the
end of its batch.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collected_afterwards() -> Iterator[None]:
    """Let the collector rest inside the block, unless it rests already."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
