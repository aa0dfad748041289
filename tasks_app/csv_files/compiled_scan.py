"""Which rows does a block hold, and which lack a mandatory value? Compiled, at 2 GB/s.

`make setup` compiles `scan_block.c` where there is a C compiler; without its library this
module cannot be imported. It runs without Python's global lock.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

from tasks_app.csv_files.boundaries import tame_bytes
from tasks_app.csv_files.plain_scan import BlockScan, RowForm

LIBRARY = Path(__file__).with_name("scan_block.so")
MAX_BLOCK_BYTES = 2**32 - 1  # bytes, whose places fit into PLACE_BYTES
PLACE_BYTES = 4


class Found(ctypes.Structure):
    """What `scan_block` of the library answers."""

    _fields_ = [
        (name, ctypes.c_int64)
        for name in ("used_bytes", "row_count", "unset_count", "line_count")
    ]  # fmt: skip


try:
    _scan_block = ctypes.CDLL(str(LIBRARY)).scan_block
except OSError as error:
    raise ImportError(f"{LIBRARY.name} is not there, or not for this machine") from error

_scan_block.restype = None
_scan_block.argtypes = [
    ctypes.c_char_p,  # the block, and a NUL byte after it
    ctypes.c_size_t,  # of its bytes
    ctypes.c_size_t,  # of cells in a row
    ctypes.c_char_p,  # for each cell whether it is mandatory
    ctypes.c_size_t,  # of bytes in the longest row that is taken
    ctypes.c_size_t,  # of rows that there is room for
    ctypes.c_void_p,  # their ends, to be filled in
    ctypes.c_void_p,  # which of them lack a value, to be filled in
    ctypes.POINTER(Found),
]


def scan_block(block: bytes, form: RowForm) -> BlockScan:
    """Return the rows that `block` certainly begins with, up to the last complete one."""
    length = min(tame_bytes(block), MAX_BLOCK_BYTES)
    if length < len(block):
        block = block[:length]
    room = length // max(form.width, 2) + 1  # the shortest row has a byte per cell, and never one
    row_ends, unset_rows = bytearray(PLACE_BYTES * room), bytearray(PLACE_BYTES * room)
    found = Found()
    _scan_block(
        block,
        length,
        form.width,
        _flags(form),
        form.limits.cell_bytes,
        room,
        _address(row_ends),
        _address(unset_rows),
        found,
    )
    return BlockScan(
        found.used_bytes,
        memoryview(row_ends).cast("I")[: found.row_count],
        memoryview(unset_rows).cast("I")[: found.unset_count],
        found.line_count,
    )


def _flags(form: RowForm) -> bytes:
    flags = bytearray(form.width)
    for place in form.mandatory:
        flags[place] = True
    return bytes(flags)


def _address(buffer: bytearray) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))
