"""Does the kit see each way to call the outside, whatever the answer?"""

from __future__ import annotations

import asyncio
import http.client
import os
import socket
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import requests

from categories.testing.crash_kit.leaks import leaks_reported

Call = Callable[[int], Any]


@pytest.fixture
def port() -> Iterator[int]:
    """A port of this machine that hangs up on everybody."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            with suppress(OSError):
                while True:
                    server.accept()[0].close()

        thread = Thread(target=hang_up, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def report(call: Callable[[], Any]) -> list[str]:
    """Return what is reported of a call, whatever its answer."""
    reported: list[str] = []
    with leaks_reported(reported.append), suppress(OSError, http.client.HTTPException):
        call()
    return reported


def connect(port: int) -> None:
    with socket.socket() as client, suppress(OSError):
        client.connect(("127.0.0.1", port))


def connect_ex(port: int) -> None:
    with socket.socket() as client:
        client.connect_ex(("127.0.0.1", port))


def send_datagram() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.sendto(b"x", ("127.0.0.1", 9))


def connect_later(port: int) -> None:
    thread = Thread(target=connect, args=[port])
    thread.start()
    thread.join()


def open_stream(port: int) -> None:
    async def stream() -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()

    asyncio.run(stream())


def post(port: int) -> None:
    client = http.client.HTTPConnection("127.0.0.1", port)
    try:
        client.request("POST", "/")
    finally:
        client.close()


CONNECTING: dict[str, Call] = {
    "socket": connect,
    "connect_ex": connect_ex,
    "create_connection": lambda port: socket.create_connection(("127.0.0.1", port)).close(),
    "a thread": connect_later,
    "asyncio": open_stream,
    "http.client": post,
    "urllib": lambda port: urllib.request.urlopen(f"http://127.0.0.1:{port}/"),
    "requests": lambda port: requests.get(f"http://127.0.0.1:{port}/", timeout=5),
}
OTHERS: dict[str, tuple[Callable[[], Any], str]] = {
    "look-up": (lambda: socket.getaddrinfo("localhost", 80), "looked up the host localhost"),
    "old look-up": (lambda: socket.gethostbyname("localhost"), "looked up the host localhost"),
    "reverse look-up": (lambda: socket.gethostbyaddr("127.0.0.1"), "looked up the host 127.0.0.1"),
    "datagram": (send_datagram, "sent a message to 127.0.0.1:9"),
    "program": (lambda: subprocess.run(["true", "secret"], check=True), "started the program true"),
    "shell": (lambda: os.system("true secret"), "started the program true"),
}


@pytest.mark.parametrize("way", CONNECTING)
@pytest.mark.parametrize("is_there", [True, False])
def test_a_connection_is_reported_whether_it_is_answered_or_refused(
    way: str, is_there: bool, port: int
) -> None:
    to = port if is_there else 1

    reported = report(lambda: CONNECTING[way](to))

    assert any(each.startswith(f"connected to 127.0.0.1:{to}:") for each in reported)
    assert "effects = Effects.EXTERNAL" in reported[0]


@pytest.mark.parametrize("way", OTHERS)
def test_other_calls_are_reported(way: str) -> None:
    call, expected = OTHERS[way]

    reported = report(call)

    assert reported[0].startswith(f"{expected}:")


def test_a_socket_of_unix_is_named_by_its_path(tmp_path: Path) -> None:
    path = str(tmp_path / "none")

    with socket.socket(socket.AF_UNIX) as client:
        reported = report(lambda: client.connect(path))

    assert reported[0].startswith(f"connected to {path}:")


@pytest.mark.parametrize("module", ["psycopg.conninfo", "psycopg2", "importlib._bootstrap"])
def test_the_driver_of_the_database_and_imports_are_exempt(module: str, port: int) -> None:
    namespace: dict[str, Any] = {"__name__": module, "connect": connect}
    exec("def run(port):\n    connect(port)", namespace)

    assert report(lambda: namespace["run"](port)) == []


def test_a_pair_of_sockets_calls_nobody() -> None:
    def talk() -> None:
        here, there = socket.socketpair()
        with here, there:
            here.sendmsg([b"x"])
            there.recv(1)

    assert report(talk) == []
