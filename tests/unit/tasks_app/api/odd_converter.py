"""A converter for tests, which behaves as its rules say."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

from tasks_app.csv_files.converting import Converted, serve
from tasks_app.errors import UnexpectedContent

if TYPE_CHECKING:
    from piston.readable import Readable


def convert(source: Readable, spool: IO[bytes], *, does: str) -> Converted:
    if does == "refuse":
        raise UnexpectedContent("none")
    if does == "die early":
        os.kill(os.getpid(), signal.SIGKILL)
    if does == "use up its time":
        os.kill(os.getpid(), signal.SIGXCPU)
    if does == "have a bug":
        sys.exit(1)
    if does == "take memory":
        bytearray(2**30)
    if does == "wait":
        time.sleep(3600)
    if does == "fill its disk":
        spool.write(b"x")
    if does == "lose its disk at the end":
        os.dup2(os.open("/dev/full", os.O_RDWR), spool.fileno())
        spool.write(b"x")
    return Converted({"environment": sorted(os.environ)}, blocks(source, spool, does))


def blocks(source: Readable, spool: IO[bytes], does: str) -> Iterator[bytes]:
    spool.seek(0)
    if does == "die late":
        head = {"file_name": None, "has_records": True}
        os.write(1, json.dumps(head).encode() + b"\nname\nAda\n")
        os.kill(os.getpid(), signal.SIGKILL)
    if does == "write for ever":
        while True:
            yield bytes(1000)
    while block := source.read(1000):
        yield block


if __name__ == "__main__":
    serve(convert)
