"""How does a client upload or download with pauses, and see whatever comes of it?"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.acceptance.installation import Client

SECONDS = 60  # to wait for anything
BLOCK_BYTES = 64 * 1024


def connect(client: Client, receive_bytes: int = BLOCK_BYTES) -> http.client.HTTPConnection:
    """Return a connection that keeps little of an answer under way; 0: what the kernel likes."""
    address = urlsplit(client.url)
    connection = socket.socket()
    if receive_bytes:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    connection.settimeout(SECONDS)
    connection.connect((address.hostname, address.port))
    made = http.client.HTTPConnection(address.netloc, timeout=SECONDS)
    made.sock = connection
    return made


class Upload:
    """An upload that goes as far as it is told, and waits there."""

    def __init__(self, client: Client, action: str, content: bytes) -> None:
        self.content = content
        self.place = 0
        query = urlencode({"category": "chaos", "action": action, "file_name": "chaos.csv"})
        self.connection = connect(client)
        self.connection.putrequest("PUT", f"{urlsplit(client.tasks).path}?{query}")
        self.connection.putheader("X-Auth-Token", str(client.session.headers["X-Auth-Token"]))
        self.connection.putheader("Content-Type", "text/csv")
        self.connection.putheader("Content-Length", str(len(content)))
        self.connection.endheaders()

    def send_up_to(self, place: int) -> None:
        """Send what lies before a byte of the content."""
        self.connection.send(self.content[self.place : place])
        self.place = place

    def read_answer(self) -> tuple[int, dict[str, Any]]:
        """Return the status and the body; 0 when there is no answer."""
        with contextlib.closing(self.connection):
            try:
                answer = self.connection.getresponse()
                return answer.status, json.loads(answer.read())
            except (OSError, http.client.HTTPException):
                return 0, {}

    def finish(self) -> tuple[int, dict[str, Any]]:
        """Send the rest and return the status and the body; 0 when there is no answer."""
        with contextlib.suppress(OSError):
            self.send_up_to(len(self.content))
        return self.read_answer()


class Download:
    """A download that goes as far as it is told, and waits there."""

    def __init__(
        self,
        client: Client,
        task_id: str,
        name: str,
        *,
        start: int = 0,
        etag: str = "",
        receive_bytes: int = BLOCK_BYTES,
    ) -> None:
        path = f"{urlsplit(client.tasks).path}/{task_id}?csv_name={name}"
        headers = {"X-Auth-Token": str(client.session.headers["X-Auth-Token"])}
        headers |= {"Accept": "text/csv"} | ({"Range": f"bytes={start}-"} if start else {})
        headers |= {"If-Range": etag} if etag else {}
        self.connection = connect(client, receive_bytes)
        self.connection.request("GET", path, headers=headers)
        self.answer = self.connection.getresponse()
        self.status = self.answer.status
        self.etag = self.answer.headers["ETag"]
        self.length = int(self.answer.headers["Content-Length"])
        self.content = b""

    def read_up_to(self, place: int) -> None:
        """Read until so many bytes are here, or the connection breaks."""
        blocks = []
        wanted = place - len(self.content)
        with contextlib.suppress(OSError, http.client.HTTPException):
            while wanted > 0 and (block := self.answer.read(min(wanted, BLOCK_BYTES))):
                blocks.append(block)
                wanted -= len(block)
        self.content += b"".join(blocks)

    def read_rest(self) -> bool:
        """Read what still comes; say whether that was everything."""
        self.read_up_to(self.length)
        self.connection.close()
        return len(self.content) == self.length
