"""What does a process do that turns an input of another kind into CSV?

It is given the input as its standard input, a file, and its rules as JSON. It writes a line of
JSON, the head, then the CSV. A refusal is a head with `error`, the name of one of ours. Nothing
of Django is loaded here: the process has to start quickly, and needs no secrets.
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
NICENESS = 10  # that of rows: whoever waits for an answer goes before
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
    """What is known of an input beside its rows, and its CSV."""

    head: dict[str, Any]
    blocks: Iterator[bytes]


def serve(convert: Callable[..., Converted]) -> None:
    """Convert standard input to standard output with `convert(source, spool, **rules)`."""
    parent, folder, least_free_bytes, rules = sys.argv[1:]
    be_modest()
    with ExitStack() as stack:
        source = stack.enter_context(os.fdopen(0, "rb", buffering=0))
        output = stack.enter_context(os.fdopen(1, "wb"))

        def begin() -> Converted:
            file = stack.enter_context(tempfile.TemporaryFile(dir=folder, buffering=0))
            spool = Spool(file.fileno(), int(least_free_bytes))
            return convert(_Watched(source, int(parent)), spool, **json.loads(rules))

        output.writelines(answer(begin))


def be_modest() -> None:
    """Take little of the machine, whatever the input is."""
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_DATA, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    # at the second limit it would be killed without its reason (SIGKILL instead of SIGXCPU)
    limits = (MAX_PROCESSOR_SECONDS, MAX_PROCESSOR_SECONDS + 5)
    resource.setrlimit(resource.RLIMIT_CPU, limits)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # nobody wants the CSV any more: no trace of it
    gc.disable()  # values have no cycles, and are many


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
        head, blocks = describe(describe_trouble(error)), iter(())
    yield json.dumps(head).encode() + b"\n"
    yield from blocks


def describe(error: PistonError) -> dict[str, Any]:
    """Return the head that says a refusal."""
    name = next(name for name, refusal in REFUSALS.items() if isinstance(error, refusal))
    return {"error": name, "with": vars(error) or {"message": str(error)}}


def describe_trouble(error: OSError) -> StorageUnavailable:
    """Return what an error of the spool file means."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return StorageFull()
    return StorageUnavailable(str(error))


def check(head: dict[str, Any]) -> None:
    """Raise the refusal that a head says, if it is one."""
    if "error" in head:
        raise REFUSALS[head["error"]](**head["with"])


class Spool(io.FileIO):
    """A temporary file that leaves some of its disk free.

    Nothing of it waits in a buffer: a full disk is known before the head is said.
    """

    def __init__(self, descriptor: int, least_free_bytes: int) -> None:
        super().__init__(descriptor, "r+b", closefd=False)
        self._least_free_bytes = least_free_bytes

    def write(self, block: ReadableBuffer, /) -> int:
        """Write the whole block, or raise OSError."""
        rest = memoryview(block)
        if self._least_free_bytes:
            disk = os.statvfs(self.fileno())
            blocks = disk.f_bavail if os.geteuid() else disk.f_bfree  # some are only for root
            if blocks * disk.f_frsize < self._least_free_bytes + len(rest):
                raise OSError(errno.ENOSPC, "what is free is kept")
        size = len(rest)
        while rest:
            rest = rest[super().write(rest) :]
        return size


class _Watched:
    """The input, as long as there is somebody to convert it for."""

    def __init__(self, source: IO[bytes], parent: int) -> None:
        self._source = source
        self._parent = parent

    def read(self, size: int, /) -> bytes:
        """Return the next block, or end this process."""
        if os.getppid() != self._parent:
            os._exit(1)
        return self._source.read(size)
