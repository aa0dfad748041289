"""What is outside, for benchmarks? A server that takes its time and limits the calls a second."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

PER_SECOND = 50
SECONDS = 0.2  # that each call takes


class QuietServer(ThreadingHTTPServer):
    """A server whose clients may be killed."""

    def handle_error(self, *_: object) -> None:
        """Print nothing: a connection was cut."""


class Provider:
    """A server on loopback; it answers 429 to what exceeds its limit, in any second.

    It notes the effect key of every call that it took: those are done, answered or not.
    """

    def __init__(self, *, per_second: int = PER_SECOND, seconds: float = SECONDS) -> None:
        self.per_second = per_second
        self.seconds = seconds
        self.keys: list[str] = []
        self.refused_count = 0
        self.is_down = False  # answers 503 to everything, and takes nothing
        self._begun: deque[float] = deque()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            """Answers one connection, which may stay open."""

            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                """Take a call, or refuse it."""
                size = int(self.headers["Content-Length"])
                key = self.rfile.read(size).decode()
                if len(key) < size:  # its caller was killed
                    return
                status = provider.take(key)
                body = json.dumps({"key": key}).encode()
                self.send_response(status)
                if status != 200:
                    self.send_header("Retry-After", "1")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Print nothing."""

        self.server = QuietServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def take(self, key: str) -> int:
        """Take a call and work on it; return the status of the answer."""
        with self._lock:
            now = time.monotonic()
            while self._begun and now - self._begun[0] >= 1:
                self._begun.popleft()
            if self.is_down or len(self._begun) >= self.per_second:
                self.refused_count += 1
                return 503 if self.is_down else 429
            self._begun.append(now)
            self.keys.append(key)
        time.sleep(self.seconds)
        return 200
