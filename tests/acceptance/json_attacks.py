"""Which JSON keeps a server busy, and how long do others wait meanwhile?"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from tests.acceptance.crowd import PATIENCE_SECONDS, Answer, Target, ask, ask_on, connected
from tests.acceptance.test_overload import Web
from tests.servers import family

SIZE = 12_000_000  # bytes of a hostile body, unpacked
ROUNDS, REQUESTS = 2, 150  # of an honest client, undisturbed and while others attack in turn
PAUSE_SECONDS = 0.05  # of an attacker, who shares a processor with the honest client
HONEST_SECONDS = 10.0  # within which an honest client's records are a task
RECORD = b'{"number":"+14157215234","account_id":"009afc511c97b2ae693c6cc4920988e8"}'


def again(piece: bytes) -> bytes:
    return b",".join([piece] * (SIZE // (len(piece) + 1)))


def body(records: bytes) -> bytes:
    return b'{"data":{"records":[%b]}}' % records


HOSTILE = {
    "lists": body(again(b"[]")),
    "lists in a cell": body(b'{"number":[%b]}' % again(b"[]")),
    "lists beside the records": b'{"x":[%b]}' % again(b"[]"),
    "depth": body(b"[" * SIZE),
    "small records": body(again(b'{"number":1}')),
    "one text": body(b'{"number":"%b"}' % (b"x" * SIZE)),
    "one number": body(b'{"number":0.%b}' % (b"7" * SIZE)),
    "keys": body(b"{%b}" % b",".join(b'"%x":1' % number for number in range(SIZE // 10))),
    "few keys of many": body(
        b"{%b},%b" % (b",".join(b'"k%d":1' % number for number in range(900)), again(b"{}"))
    ),
    "spaces": b" " * SIZE,
}


def head_of_json(target: Target, content: bytes, *headers: str) -> bytes:
    path = f"{target.tasks}?category=number_management&action=add"
    length = f"Content-Length: {len(content)}"
    return target.head("PUT", path, "Content-Type: application/json", length, *headers)


class Measurement:
    """How long an honest client waits, undisturbed and meanwhile."""

    def __init__(self, web: Web, attacks: list[tuple[Target, bytes, bytes]]) -> None:
        self.web = web
        self.attacks = attacks
        self.answers: list[Answer] = []  # to the attackers
        self.attempts = 0  # of theirs
        self.undisturbed: list[float] = []
        self.meanwhile: list[float] = []

    async def take(self) -> float:
        """Return how many times as long the slowest hundredth takes meanwhile."""
        for _ in range(ROUNDS):
            self.undisturbed += await self.be_honest()
            async with self.attacked():
                self.meanwhile += await self.be_honest()
            await until(lambda: not converters(self.web))  # nobody is there for whom to convert
        return slowest_hundredth(self.meanwhile) / slowest_hundredth(self.undisturbed)

    async def be_honest(self) -> list[float]:
        """Ask for the list of tasks over and over, and send records meanwhile."""
        uploading = asyncio.create_task(self.upload())
        seconds = await look_often(self.web.honest)
        await uploading
        return seconds

    async def upload(self) -> None:
        """Send 100 KB of records."""
        content = body(b",".join(100_000 // len(RECORD) * [RECORD]))
        honest = self.web.honest
        answer = await ask(honest.port, head_of_json(honest, content), content)
        assert answer.status == 201, answer.content
        assert answer.seconds < HONEST_SECONDS

    @contextlib.asynccontextmanager
    async def attacked(self) -> AsyncIterator[None]:
        """Let the attackers send the same over and over; the first is being worked on."""
        attempts_before = self.attempts
        attacking = [asyncio.create_task(self.attack(*each)) for each in self.attacks]
        try:
            await until(lambda: converters(self.web) or self.attempts > attempts_before)
            yield
        finally:
            for each in attacking:
                each.cancel()
            await asyncio.gather(*attacking, return_exceptions=True)

    async def attack(self, target: Target, head: bytes, content: bytes) -> None:
        """Send the same over and over; who sends on regardless may be cut off."""
        while True:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                self.answers.append(await ask(target.port, head, content))
            self.attempts += 1
            await asyncio.sleep(PAUSE_SECONDS)


async def look_often(target: Target) -> list[float]:
    """Ask for the list of tasks over and over on one connection; return how long each took."""
    seconds = []
    async with connected(target.port) as stream:
        for _ in range(REQUESTS):
            answer = await ask_on(stream, target.head("GET", target.tasks))
            assert answer.status == 200
            seconds.append(answer.seconds)
    return seconds


async def until(condition: Callable[[], object]) -> None:
    """Wait until the condition holds."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(0.05)


def converters(web: Web) -> list[int]:
    """Return the processes that read JSON."""
    return [
        process
        for process in family(web.installation.processes["web"].pid)
        if b"csv_files.records" in command_of(process)
    ]


def command_of(process: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_bytes()
    return b""


def slowest_hundredth(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=100)[-1]
