"""What is outside of Piston Tasks? A little HTTP service that writes down every call."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections import defaultdict
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

LATE_SECONDS = 20  # longer than anybody who calls waits for an answer
ANSWERS = {"error": (500, b"oops"), "garbage": (200, b"<html>"), "refused": (409, b"known key")}


@dataclass(frozen=True)
class Called:
    """One call as it arrived."""

    task_id: str
    name: str
    key: str


class World:
    """Answers calls at `url`; keeps them in `calls`, in order of arrival."""

    def __init__(self) -> None:
        self.calls: list[Called] = []
        self.gate = threading.Event()  # closed: calls arrive, and wait for their answer
        self.gate.set()
        self.mishaps: dict[tuple[str, str], list[str]] = {}  # by task and name: of its next calls
        self.is_over = threading.Event()
        self.arrived = threading.Semaphore(0)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/"

    def _handler(world) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - `self` is the handler
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                call: dict[str, Any] = json.loads(
                    self.rfile.read(int(self.headers["Content-Length"]))
                )
                mishap = world.take_mishap(call["task"], call["name"])
                world.calls.append(Called(call["task"], call["name"], call["key"]))
                world.arrived.release()
                world.gate.wait(30)
                if mishap == "cut":
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                if mishap == "late":
                    world.is_over.wait(LATE_SECONDS)
                good = 200, json.dumps({"seen": call["name"].upper()}).encode()
                status, content = ANSWERS.get(mishap, good)
                with contextlib.suppress(ConnectionError):  # whoever called is gone
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content)

            def log_message(self, *_arguments: Any) -> None:
                pass

        return Handler

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.gate.set()
        self.is_over.set()
        self.server.shutdown()
        self.server.server_close()

    def answer_badly(self, task_id: str, name: str, *mishaps: str) -> None:
        """Do what the next calls for a row ask for, but answer each in one of these ways.

        `cut`: the connection is closed. `late`: nobody waits so long. Or as `ANSWERS` says.
        """
        self.mishaps[task_id, name] = list(mishaps)

    def take_mishap(self, task_id: str, name: str) -> str:
        """Return how a call is answered; "" when it is answered well."""
        left = self.mishaps.get((task_id, name))
        return left.pop(0) if left else ""

    def hold(self) -> None:
        """Let calls arrive but not be answered."""
        while self.arrived.acquire(blocking=False):
            pass
        self.gate.clear()

    def wait_for_call(self, seconds: float) -> bool:
        """Wait until a call has arrived since `hold()`."""
        return self.arrived.acquire(timeout=seconds)

    def let_go(self) -> None:
        """Answer everybody."""
        self.gate.set()

    def calls_of(self, task_id: str) -> dict[str, list[str]]:
        """Return the effect keys with which each row of a task was called, by its name."""
        found: dict[str, list[str]] = defaultdict(list)
        for call in self.calls:
            if call.task_id == task_id:
                found[call.name].append(call.key)
        return found
