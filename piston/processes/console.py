"""Prints the output of several processes to one terminal, each line with its process's name.

This is a program of its own, on the standard library alone: `console.py WATCHED NAME=DESCRIPTOR …`.
It stands between supervisor and standard output, so that a reader who stops reading cannot block a
server. It also ends `make run` in two cases that no other process notices. GNU make passes a TERM
on to its child, but after an INT sent to make alone, it waits for the child to end. And when the
terminal is closed, supervisor itself would start everything anew.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

KEPT_LINES = 10_000  # for a slow reader; further lines are dropped
LAST_SECONDS = 2  # for the last lines, after all other processes have ended
WATCH_SECONDS = 0.5
ENDING_BITS = 1 << (signal.SIGINT - 1) | 1 << (signal.SIGHUP - 1)


def pass_on(streams: Mapping[str, int], *, watched: int) -> None:
    """Print the lines of the pipes in `streams`, each with its name, until all pipes are closed.

    When the process `watched` ends (0: none), tell the parent of this process to end.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # this process ends last, after its writers
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # otherwise it was started with nohup
        parent = os.getppid()
        signal.signal(signal.SIGHUP, lambda *_: end(parent))
    lines: queue.Queue[bytes | None] = queue.Queue(KEPT_LINES)
    writer = threading.Thread(target=write, args=(lines,), daemon=True)
    writer.start()
    if watched:
        threading.Thread(target=watch, args=(watched, os.getppid()), daemon=True).start()
    width = max(len(name) for name in streams)
    readers = [
        threading.Thread(target=read, args=(descriptor, f"{name:{width}} | ".encode(), lines))
        for name, descriptor in streams.items()
    ]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    try:
        lines.put(None, timeout=LAST_SECONDS)
        writer.join(LAST_SECONDS)
    except queue.Full:
        pass  # the reader stopped reading long ago


def read(descriptor: int, prefix: bytes, lines: queue.Queue[bytes | None]) -> None:
    """Put the lines of one pipe into the queue, and drop lines while it is full."""
    with os.fdopen(descriptor, "rb") as stream:
        for line in stream:
            try:
                lines.put_nowait(prefix + line.rstrip(b"\n") + b"\n")
            except queue.Full:
                continue


def write(lines: queue.Queue[bytes | None]) -> None:
    """Print the lines of the queue up to None, or until standard output is closed."""
    try:
        while (line := lines.get()) is not None:
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
    except OSError:
        return


def watch(watched: int, parent: int) -> None:
    """Tell `parent` to end as soon as the process `watched` is interrupted, hung up or gone."""
    caught = caught_signals(watched)
    while is_alive(watched) and caught_signals(watched) == caught:
        time.sleep(WATCH_SECONDS)
    end(parent)


def end(parent: int) -> None:
    """Tell the parent to end, unless it is gone."""
    if os.getppid() == parent:
        os.kill(parent, signal.SIGTERM)


def is_alive(process: int) -> bool:
    """Return whether a process of this number exists."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def caught_signals(process: int) -> int:
    """Return as bits for which of INT and HUP a process has a handler.

    make removes its handler when the signal arrives. Without /proc, the answer is always the same.
    """
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return ENDING_BITS
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return int(caught.split()[1], 16) & ENDING_BITS


if __name__ == "__main__":
    pass_on(
        {name: int(number) for name, number in (word.split("=") for word in sys.argv[2:])},
        watched=int(sys.argv[1]),
    )
