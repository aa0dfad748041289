"""Which quick way of scanning a block is there on this machine?

A quick way takes only rows of which it is certain: it stops in front of whatever could be a fault,
and `plain_scan` decides about that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from tasks_app.csv_files.plain_scan import BlockScan, RowForm

QuickScan: TypeAlias = Callable[[bytes, RowForm], BlockScan]

QUICKEST: QuickScan | None  # None: there is none, all is the same at a fifteenth of the speed
try:
    from tasks_app.csv_files.compiled_scan import scan_block as QUICKEST  # noqa: N812
except ImportError:
    try:
        from tasks_app.csv_files.numpy_scan import scan_block as QUICKEST  # noqa: N812
    except ImportError:
        QUICKEST = None
