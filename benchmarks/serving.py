"""How are our web process and a bare one held against each other? Same server, same settings."""

from __future__ import annotations

import http.client
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from benchmarks.measuring import forget_peak_memory, peak_memory
from tests.acceptance.installation import PATIENCE_SECONDS, Client, Installation
from tests.servers import family, free_port, wait_until

TAKEN_BYTES = 2**20  # that a client reads at once


@dataclass
class Servers:
    """Two web servers: ours, with a client signed in, and one that only moves bytes."""

    installation: Installation
    client: Client
    folder: Path  # for the files of the bare one
    bare_port: int

    def peaks(self) -> dict[str, float]:
        """Return the most memory of each process of both, in MiB."""
        return {
            f"{title} {'arbiter' if pid == process.pid else 'web process'}": peak_memory(pid)
            for title, process in self._processes()
            for pid in family(process.pid)
        }

    def forget_peaks(self) -> None:
        """Count memory from now on."""
        for _, process in self._processes():
            for pid in family(process.pid):
                forget_peak_memory(pid)

    def _processes(self) -> list[tuple[str, object]]:
        started = self.installation.processes
        return [("our", started["web"]), ("bare", started["bare"])]


@contextmanager
def web_servers() -> Iterator[Servers]:
    """Start both on SQLite and file storage; neither has a worker."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="piston-bench-")))
        installation = Installation(
            folder, PISTON_CATEGORIES="benchmarks.contacts.Contacts", PISTON_WEB_PROCESSES="1"
        )
        stack.push(installation.__exit__)
        ours = installation.commands["web"]
        bare = ours.replace("piston.wsgi", "benchmarks.bare_server:application")
        installation.commands["bare"] = bare
        port = free_port()
        installation.start("web")
        installation.start("bare", PORT=str(port))
        wait_until(installation.answers, seconds=PATIENCE_SECONDS)
        wait_until(lambda: is_there(port), seconds=PATIENCE_SECONDS)
        yield Servers(installation, Client(installation), folder, port)


def is_there(port: int) -> bool:
    """Say whether a server answers."""
    try:
        return requests.get(f"http://127.0.0.1:{port}/healthz", timeout=5).ok
    except requests.ConnectionError:
        return False


def send(port: int, path: str, content: bytes, headers: dict[str, str]) -> tuple[float, bytes]:
    """PUT the content; return the seconds until the answer was here, and its body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    started = time.perf_counter()
    connection.request("PUT", path, content, headers)
    answer = connection.getresponse()
    body = answer.read()
    took = time.perf_counter() - started
    connection.close()
    assert answer.status == 201, body
    return took, body


def take(port: int, path: str, headers: dict[str, str], size: int) -> float:
    """GET a file of so many bytes and forget them; return the seconds."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    room = bytearray(TAKEN_BYTES)
    started = time.perf_counter()
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    taken = 0
    while count := answer.readinto(room):
        taken += count
    took = time.perf_counter() - started
    connection.close()
    assert (answer.status, taken) == (200, size)
    return took
