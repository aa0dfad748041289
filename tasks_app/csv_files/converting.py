"""The main loop of a converter, a process that turns an input of another kind into CSV.

The process gets the input, a file, as its standard input, and its rules as JSON. It writes the
head, a line of JSON, and then the CSV. A refusal is a head with `error`, the name of an error
class. Django is not loaded: the process must start quickly, and it needs no secrets.
"""

from __future__ import annotations

import errno
import gc
import io
import json
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from tasks_app import errors
from tasks_app.errors import CSVFormatError, PistonError, StorageFull, StorageUnavailable

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

BLOCK_BYTES = 256 * 1024
NICENESS = 10  # as for rows: requests that wait for an answer come first
MAX_MEMORY_BYTES = 256 * 2**20
MAX_PROCESSOR_SECONDS = 100  # a million records of 74 bytes take 3 to 5
REFUSALS = {
    refusal.__name__: refusal
    for refusal in (
        errors.CSVFormatError,
        errors.FaultyDocument,
        errors.InvalidJSON,
        errors.StorageFull,
        errors.StorageUnavailable,
        errors.UnexpectedContent,
    )
}


class Converted(NamedTuple):
    """The head of an input, and its CSV."""

    head: dict[str, Any]
    blocks: Iterator[bytes]


def serve(convert: Callable[..., Converted]) -> None:
    """Convert standard input to standard output with `convert(source, spool, **rules)`."""
    parent, folder, least_free_bytes, rules = sys.argv[1:]
    limit_own_resources()
    with ExitStack() as stack:
        source = stack.enter_context(os.fdopen(0, "rb", buffering=0))
        output = stack.enter_context(os.fdopen(1, "wb"))

        def begin() -> Converted:
            file = stack.enter_context(tempfile.TemporaryFile(dir=folder, buffering=0))
            spool = Spool(file.fileno(), int(least_free_bytes))
            return convert(_InputOfParent(source, int(parent)), spool, **json.loads(rules))

        output.writelines(answer(begin))


def limit_own_resources() -> None:
    """Limit the memory, the processor time and the priority of this process."""
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_DATA, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    # the second limit sends SIGKILL, which does not say why; the first sends SIGXCPU
    limits = (MAX_PROCESSOR_SECONDS, MAX_PROCESSOR_SECONDS + 5)
    resource.setrlimit(resource.RLIMIT_CPU, limits)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # if the reader is gone, end without a trace
    gc.disable()  # there are many values, and they have no cycles


def answer(convert: Callable[[], Converted]) -> Iterator[bytes]:
    """Yield the head and the CSV, or a refusal."""
    try:
        head, blocks = convert()
    except PistonError as error:
        head, blocks = describe(error), iter(())
    except MemoryError:
        reason = f"one value of it needs more memory than the limit of {MAX_MEMORY_BYTES} bytes"
        head, blocks = describe(CSVFormatError(reason)), iter(())
    except OSError as error:
        head, blocks = describe(storage_error_for(error)), iter(())
    yield json.dumps(head).encode() + b"\n"
    yield from blocks


def describe(error: PistonError) -> dict[str, Any]:
    """Return the head that reports a refusal."""
    name = next(name for name, refusal in REFUSALS.items() if isinstance(error, refusal))
    return {"error": name, "with": vars(error) or {"message": str(error)}}


def storage_error_for(error: OSError) -> StorageUnavailable:
    """Return our error for an OSError of the spool file."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return StorageFull()
    return StorageUnavailable(str(error))


def check(head: dict[str, Any]) -> None:
    """Raise the refusal that a head reports, if any."""
    if "error" in head:
        raise REFUSALS[head["error"]](**head["with"])


class Spool(io.FileIO):
    """A temporary file that keeps a reserve of its disk free.

    It is not buffered, so a full disk shows before the head is written.
    """

    def __init__(self, descriptor: int, least_free_bytes: int) -> None:
        super().__init__(descriptor, "r+b", closefd=False)
        self._least_free_bytes = least_free_bytes

    def write(self, block: ReadableBuffer, /) -> int:
        """Write the whole block, or raise OSError."""
        rest = memoryview(block)
        if self._least_free_bytes:
            disk = os.statvfs(self.fileno())
            blocks = disk.f_bavail if os.geteuid() else disk.f_bfree  # root may use them all
            if blocks * disk.f_frsize < self._least_free_bytes + len(rest):
                raise OSError(errno.ENOSPC, "what is free is kept")
        size = len(rest)
        while rest:
            rest = rest[super().write(rest) :]
        return size


class _InputOfParent:
    """The input, which ends this process if its parent is gone."""

    def __init__(self, source: IO[bytes], parent: int) -> None:
        self._source = source
        self._parent = parent

    def read(self, size: int, /) -> bytes:
        """Return the next block; end this process if the parent has died."""
        if os.getppid() != self._parent:
            os._exit(1)
        return self._source.read(size)
