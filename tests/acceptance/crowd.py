"""How does a test play thousands of clients? Raw sockets in one thread; good ones and bad ones."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import resource
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

PATIENCE_SECONDS = 60  # of one client for one answer
DRIP_SECONDS = 1.0  # between two bytes of a slow client
GATHER_SECONDS = 10.0  # until all of those who stay have come

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Attack = Callable[["Target"], Awaitable[None]]


@dataclass(frozen=True)
class Target:
    """Who is called, and as whom."""

    port: int
    token: str
    tasks: str  # the path of the account's tasks
    task: str = ""  # the path of one of them

    def head(self, method: str, path: str, *headers: str, token: str = "") -> bytes:
        """Return the head of a request."""
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *headers]
        lines += [f"X-Auth-Token: {token or self.token}", "", ""]
        return "\r\n".join(lines).encode()

    def upload(self, size: int, *, token: str = "") -> bytes:
        """Return the head of an upload of `size` bytes."""
        path = f"{self.tasks}?category=number_management&action=add"
        return self.head(
            "PUT", path, "Content-Type: text/csv", f"Content-Length: {size}", token=token
        )


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    content: bytes
    seconds: float

    @property
    def document(self) -> dict[str, Any]:
        """The envelope."""
        document: dict[str, Any] = json.loads(self.content)
        return document

    @property
    def is_refusal(self) -> bool:
        """Is this the documented way to say: not now?"""
        return (
            self.status in {429, 503}
            and int(self.headers["retry-after"]) > 0
            and self.document["error"] == str(self.status)
        )


def raise_file_limit() -> None:
    """Let this process open as many sockets as it may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def connect(port: int, *, receive_bytes: int | None = None) -> Stream:
    """Open a connection, with a small receive buffer for one who will read slowly."""
    connection = socket.socket()
    if receive_bytes:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    connection.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
    except BaseException:
        connection.close()
        raise
    return await asyncio.open_connection(sock=connection, limit=receive_bytes or 2**16)


@contextlib.asynccontextmanager
async def connected(port: int, *, receive_bytes: int | None = None) -> AsyncIterator[Stream]:
    """Open a connection and close it at the end, without another word."""
    reader, writer = await connect(port, receive_bytes=receive_bytes)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def ask(port: int, head: bytes, body: bytes = b"") -> Answer:
    """Send one request on a connection of its own and return the answer."""
    async with connected(port) as stream:
        return await ask_on(stream, head, body)


async def ask_on(stream: Stream, head: bytes, body: bytes = b"") -> Answer:
    """Send one request; read the answer while sending, as a refused client should."""
    reader, writer = stream
    began = time.monotonic()
    writer.write(head)
    sending = asyncio.ensure_future(send_body(writer, body))
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            status, headers, content = await read_answer(reader)
    finally:
        sending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sending
    return Answer(status, headers, content, time.monotonic() - began)


async def send_body(writer: asyncio.StreamWriter, body: bytes) -> None:
    """Send a body block by block; a server that wants no more of it has answered."""
    with contextlib.suppress(ConnectionError):
        for start in range(0, len(body), 2**16):
            writer.write(body[start : start + 2**16])
            await writer.drain()


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and content."""
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode().strip().split("\r\n")
    headers = {name.lower(): text for name, text in (line.split(": ", 1) for line in lines)}
    if headers.get("transfer-encoding") == "chunked":
        content = await read_chunks(reader)
    else:
        content = await reader.readexactly(int(headers.get("content-length", 0)))
    return int(first.split()[1]), headers, content


async def read_chunks(reader: asyncio.StreamReader) -> bytes:
    """Return a body that comes in chunks."""
    content = b""
    while size := int(await reader.readline(), 16):
        content += (await reader.readexactly(size + 2))[:-2]
    await reader.readline()
    return content


# ---- Bad clients -----------------------------------------------------------------------------


async def drip_head(target: Target) -> None:
    """Send a head that never ends, one byte at a time."""
    async with connected(target.port) as (_, writer):
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        while not writer.transport.is_closing():
            writer.write(b"a")
            await writer.drain()
            await asyncio.sleep(DRIP_SECONDS)


async def drip_body(target: Target) -> None:
    """Send an upload one byte at a time."""
    await drip_upload(target, token=target.token)


async def drip_refused_body(target: Target) -> None:
    """Send an upload that nobody asked for, one byte at a time."""
    await drip_upload(target, token="wrong")


async def drip_upload(target: Target, *, token: str) -> None:
    """Send an upload as slowly as the server lets us."""
    async with connected(target.port) as (_, writer):
        writer.write(target.upload(10**6, token=token) + b"number,account_id\n")
        while not writer.transport.is_closing():
            writer.write(b"1")
            await writer.drain()
            await asyncio.sleep(DRIP_SECONDS)


async def flood_refused_body(target: Target) -> None:
    """Send an upload that is refused at its first line as fast as it goes, and never listen."""
    async with connected(target.port) as (_, writer):
        writer.write(target.upload(10**12) + b"number,wef\n")
        while not writer.transport.is_closing():
            writer.write(b"1,2\n" * 2**14)
            await writer.drain()
            await asyncio.sleep(0)


async def drip_sign_in(target: Target) -> None:
    """Send an API key one byte at a time, the end never."""
    async with connected(target.port) as (_, writer):
        lines = ["PUT /v2/api_auth HTTP/1.1", "Host: localhost", "Content-Length: 300", "", "{"]
        writer.write("\r\n".join(lines).encode())
        while not writer.transport.is_closing():
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(DRIP_SECONDS)


async def say_nothing(target: Target) -> None:
    """Connect, and be gone without a word."""
    async with connected(target.port) as (reader, _):
        await reader.read()


async def stay(target: Target) -> None:
    """Ask once, then keep the connection for nothing. These gather; they are no flood."""
    await asyncio.sleep(random.uniform(0, GATHER_SECONDS))
    async with connected(target.port) as stream:
        await ask_on(stream, target.head("GET", "/healthz"))
        await stream[0].read()


async def ask_for_health(target: Target) -> None:
    """Ask over and over whether the service is well."""
    async with connected(target.port) as stream:
        while True:
            await ask_on(stream, target.head("GET", "/healthz"))


async def read_slowly(target: Target) -> None:
    """Download a large file one byte at a time."""
    async with connected(target.port, receive_bytes=4096) as (reader, writer):
        writer.write(target.head("GET", f"{target.task}?csv_name=in.csv"))
        while await reader.read(1):
            await asyncio.sleep(DRIP_SECONDS)


@contextlib.asynccontextmanager
async def attacked(attack: Attack, target: Target, *, count: int) -> AsyncIterator[None]:
    """Let `count` bad clients do the same over and over: who is thrown out comes back."""

    async def persist() -> None:
        while True:
            with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                await attack(target)
            await asyncio.sleep(DRIP_SECONDS)

    crowd = [asyncio.create_task(persist()) for _ in range(count)]
    try:
        yield
    finally:
        for member in crowd:
            member.cancel()
        outcomes = await asyncio.gather(*crowd, return_exceptions=True)
        broken = [each for each in outcomes if not isinstance(each, asyncio.CancelledError)]
        assert not broken, broken[:3]
