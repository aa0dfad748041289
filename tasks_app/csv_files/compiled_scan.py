"""Finds the rows of a block, and those that lack a mandatory value, in compiled code at 2 GB/s.

`make setup` compiles `scan_block.c` if there is a C compiler. Without its library, importing this
module raises ImportError. The library runs without Python's global lock.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

from tasks_app.csv_files.boundaries import valid_prefix_bytes
from tasks_app.csv_files.plain_scan import BlockScan, RowForm

LIBRARY = Path(__file__).with_name("scan_block.so")
MAX_BLOCK_BYTES = 2**32 - 1  # every position in a block fits into PLACE_BYTES
PLACE_BYTES = 4


class Found(ctypes.Structure):
    """The result of the library's `scan_block`."""

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
    ctypes.c_char_p,  # the block, with a NUL byte after it
    ctypes.c_size_t,  # number of its bytes
    ctypes.c_size_t,  # number of cells in a row
    ctypes.c_char_p,  # a flag for each cell: is it mandatory?
    ctypes.c_size_t,  # maximum bytes of a row
    ctypes.c_size_t,  # maximum number of rows in the two arrays
    ctypes.c_void_p,  # filled with the ends of the rows
    ctypes.c_void_p,  # filled with the places of rows that lack a value
    ctypes.POINTER(Found),
]


def scan_block(block: bytes, form: RowForm) -> BlockScan:
    """Return the complete rows at the start of `block`, up to the first one in doubt."""
    length = min(valid_prefix_bytes(block), MAX_BLOCK_BYTES)
    if length < len(block):
        block = block[:length]
    room = length // max(form.width, 2) + 1  # a row has at least a byte per cell, and at least two
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
