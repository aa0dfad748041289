"""What does the web server reach without the product? It takes bytes into a file, or sends one.

A WSGI application: PUT writes the body to the path, as the file storage does (in the same
blocks, and until it is on disk); GET sends the file with sendfile(2).
"""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

BLOCK_BYTES = 256 * 1024
MAX_BYTES = 2**30  # in one call of sendfile


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer a request for a path of this machine."""
    path = Path(environ["PATH_INFO"])
    if environ["REQUEST_METHOD"] == "PUT":
        write_body(environ["wsgi.input"], path)
        start_response("201 Created", [("Content-Length", "0")])
    elif environ["REQUEST_METHOD"] == "GET" and path.is_file():
        size = path.stat().st_size
        write = start_response("200 OK", [("Content-Length", str(size))])
        write(b"")  # the head
        send_file(environ["gunicorn.socket"].fileno(), path, size)
    else:
        start_response("200 OK", [("Content-Length", "0")])
    return []


def write_body(body: Any, path: Path) -> None:
    """Copy the body to a file."""
    with path.open("wb") as file:
        while block := body.read(BLOCK_BYTES):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())


def send_file(client: int, path: Path, size: int) -> None:
    """Let the kernel send a file; the socket does not block, so wait for it."""
    poll = select.poll()
    poll.register(client, select.POLLOUT)
    with path.open("rb") as file:
        offset = 0
        while offset < size:
            try:
                offset += os.sendfile(client, file.fileno(), offset, MAX_BYTES)
            except BlockingIOError:
                poll.poll()
