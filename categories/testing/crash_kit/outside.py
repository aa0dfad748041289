"""Recognizes calls to the outside in Python's audit events: connections, look-ups, programs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import Any

ADVICE = (
    ": a crash does not undo that, and it is done again. Only an action with"
    " effects = Effects.EXTERNAL may call the outside: its rows are journaled."
)
DRIVERS = {"psycopg", "psycopg2", "psycopg_pool", "MySQLdb", "pymysql", "oracledb"}
EXEMPT = DRIVERS | {"importlib"}  # a module is imported once, not for each row

# what each event says; "" if it calls nobody
CALLS: Mapping[str, Callable[..., str]] = {
    "socket.connect": lambda _socket, address: f"connected to {show_address(address)}",
    "socket.sendto": lambda _socket, address: f"sent a message to {show_address(address)}",
    "socket.sendmsg": lambda _socket, address: (
        "" if address is None else f"sent a message to {show_address(address)}"
    ),
    "socket.getaddrinfo": lambda host, *_: f"looked up the host {show_address(host)}",
    "socket.gethostbyname": lambda host: f"looked up the host {show_address(host)}",
    "socket.gethostbyaddr": lambda host: f"looked up the host {show_address(host)}",
    "socket.getnameinfo": lambda address: f"looked up the host {show_address(address)}",
    "subprocess.Popen": lambda _path, words, *_: f"started the program {show_program(words)}",
    "os.system": lambda command: f"started the program {show_program(command)}",
    "os.posix_spawn": lambda path, *_: f"started the program {show_program(path)}",
    "os.spawn": lambda _mode, path, *_: f"started the program {show_program(path)}",
    "os.exec": lambda path, *_: f"started the program {show_program(path)}",
    "os.fork": lambda: "started a process",
}


def describe_outside(event: str, arguments: tuple[Any, ...]) -> str:
    """Return what an event does outside of this process; "" for nothing.

    Connections of a database's driver are exempt, and what a module does while it is imported.
    """
    if event not in CALLS:
        return ""
    did = CALLS[event](*arguments)
    if not did or not EXEMPT.isdisjoint(calling_packages()):
        return ""
    return did + ADVICE


def calling_packages() -> Iterator[str]:
    """Yield the packages of the functions that led to the event."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        yield str(frame.f_globals.get("__name__", "")).partition(".")[0]
        frame = frame.f_back


def show_address(address: Any) -> str:
    """Return `host:port`, or the path of a Unix socket."""
    if isinstance(address, tuple):
        return ":".join(map(show_address, address[:2]))
    if isinstance(address, bytes):
        return address.decode(errors="replace")
    return str(address)


def show_program(words: Any) -> str:
    """Return the name of a program, without its arguments, which may be secret."""
    first = words if isinstance(words, str | bytes) else next(iter(words), "")
    return show_address(first).partition(" ")[0]
