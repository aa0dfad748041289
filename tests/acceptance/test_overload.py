"""Does the web process stay in service when thousands call at once, and when some of them cheat?"""

from __future__ import annotations

import asyncio
import re
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from tests.acceptance import crowd
from tests.acceptance.crowd import Answer, Attack, Target, ask, attacked
from tests.acceptance.installation import Client, Installation
from tests.acceptance.test_make_run import STOP_SECONDS, MakeRun
from tests.servers import PostgreSQL, Redis, family, started

pytestmark = pytest.mark.acceptance

HEADER = b"number,account_id\n"
ROW = b"+14157215234,009afc511c97b2ae693c6cc4920988e8\n"
HONEST_SECONDS = 5.0  # within which an honest client is served, whatever else goes on
GROWTH_BYTES = 128 * 2**20  # of the web process, over what it needs at rest


class Web:
    """A web server with one account for the crowd and one for an honest client."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.clients = [Client(installation) for _ in range(4)]
        self.honest = target_of(installation, Client(installation))
        self.targets = [target_of(installation, client) for client in self.clients]

    def resident_bytes(self) -> int:
        """Return the memory of the web process and its children."""
        return sum(map(resident_bytes, family(self.installation.processes["web"].pid)))

    def stored_files(self) -> set[Path]:
        """Return the files of all tasks: tests that ran before have left some."""
        return set((self.installation.folder / "data" / "files").rglob("*.csv"))


def target_of(installation: Installation, client: Client) -> Target:
    token = str(client.session.headers["X-Auth-Token"])
    return Target(installation.port, token, urlsplit(client.tasks).path)


def resident_bytes(process: int) -> int:
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """A web server; nobody works off tasks."""
    with serving(tmp_path_factory.mktemp("web")) as served:
        yield served


@pytest.fixture
def web_on_servers(tmp_path: Path) -> Iterator[Web]:
    """The same on PostgreSQL as it comes, with Redis to count requests."""
    with started(PostgreSQL) as database, started(Redis) as redis:
        variables = {
            "DATABASE_URL": database.url,
            "CELERY_BROKER_URL": redis.url,
            "CACHE_URL": redis.url,
            "SECRET_KEY": "s" * 50,
            "ALLOWED_HOSTS": "localhost,127.0.0.1",
        }
        with serving(tmp_path, **variables) as served:
            yield served


@contextmanager
def serving(folder: Path, **variables: str) -> Iterator[Web]:
    """Start a web server that throttles nobody: all clients have the same address."""
    crowd.raise_file_limit()
    installation = Installation(folder, PISTON_REQUESTS_PER_MINUTE="1000000", **variables)
    installation.commands = {"web": installation.commands["web"]}
    with installation:
        yield Web(installation)


@asynccontextmanager
async def watched(web: Web, answers: list[Answer]) -> AsyncIterator[None]:
    """Ask every half a second whether the service is well, and note what it needs."""

    async def watch() -> None:
        while True:
            answers.append(await ask(web.honest.port, web.honest.head("GET", "/healthz")))
            peaks.append(web.resident_bytes() - resting)
            await asyncio.sleep(0.5)

    resting = web.resident_bytes()
    peaks = [0]
    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()
        outcome = (await asyncio.gather(watching, return_exceptions=True))[0]
        assert isinstance(outcome, asyncio.CancelledError), outcome
        assert max(peaks) < GROWTH_BYTES


# ---- Too many at once ----------------------------------------------------------------------------


def test_200_uploads_and_2000_readers_are_served_or_asked_to_come_back(web: Web) -> None:
    asyncio.run(overload(web))


def test_the_same_on_postgresql_and_redis(web_on_servers: Web) -> None:
    asyncio.run(overload(web_on_servers))


async def overload(web: Web) -> None:
    pulse: list[Answer] = []
    files_before = web.stored_files()
    tasks = [await send(target, content_of(1000)) for target in web.targets]
    readers = [replace(web.targets[index % 4], task=tasks[index % 4]) for index in range(2000)]
    uploads = [(web.targets[index % 4], content_of(20_000 + index)) for index in range(200)]

    async with watched(web, pulse):
        sending = asyncio.gather(*(send(target, content) for target, content in uploads))
        await asyncio.gather(sending, *(read_status(reader) for reader in readers))

    assert [answer.status for answer in pulse] == [200] * len(pulse)
    assert max(answer.seconds for answer in pulse) < HONEST_SECONDS
    for (target, content), path in zip(uploads, sending.result(), strict=True):
        answer = await ask(target.port, target.head("GET", f"{path}?csv_name=in.csv"))
        assert answer.content == content
    assert len(web.stored_files() - files_before) == 4 + 200


def content_of(rows: int) -> bytes:
    return HEADER + ROW * rows


async def send(target: Target, content: bytes) -> str:
    """Upload until it is accepted; return the path of the task."""
    for _ in range(60):
        answer = await ask(target.port, target.upload(len(content)), content)
        if answer.status == 201:
            return f"{target.tasks}/{answer.document['data']['_read_only']['id']}"
        assert answer.is_refusal, answer
        await asyncio.sleep(int(answer.headers["retry-after"]))
    raise AssertionError("refused for too long")


async def read_status(target: Target) -> None:
    """Ask how a task stands until the answer comes."""
    for _ in range(60):
        answer = await ask(target.port, target.head("GET", target.task))
        if answer.status == 200:
            return
        assert answer.is_refusal, answer
        await asyncio.sleep(int(answer.headers["retry-after"]))
    raise AssertionError("refused for too long")


# ---- Those who cheat -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attack", "count", "seconds"),  # so long that the first are thrown out, and come again
    [
        (crowd.drip_head, 500, 14),
        (crowd.drip_body, 500, 36),
        (crowd.drip_refused_body, 500, 8),
        (crowd.flood_refused_body, 100, 14),
        (crowd.drip_sign_in, 500, 14),
        (crowd.say_nothing, 500, 14),
        (crowd.say_nothing, 5000, 14),  # more than there is room for
        (crowd.stay, 2000, 16),
        (crowd.ask_for_health, 100, 8),
        (crowd.read_slowly, 200, 36),
    ],
)
def test_slow_clients_do_not_keep_others_waiting(
    web: Web, attack: Attack, count: int, seconds: float
) -> None:
    asyncio.run(endure(web, attack, count, seconds))


async def endure(web: Web, attack: Attack, count: int, seconds: float) -> None:
    pulse: list[Answer] = []
    rounds: list[float] = []
    big = await send(web.targets[0], content_of(400_000))
    target = replace(web.targets[0], task=big)

    async with attacked(attack, target, count=count), watched(web, pulse):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await asyncio.sleep(2)
            rounds.append(await visit(web.honest))

    assert max(rounds) < HONEST_SECONDS
    assert [answer.status for answer in pulse] == [200] * len(pulse)
    assert max(answer.seconds for answer in pulse) < HONEST_SECONDS


def test_an_account_and_its_child_leave_places_for_others(web: Web) -> None:
    parent = Client(web.installation)
    family_of_two = [parent, Client(web.installation, "--parent", parent.account_id)]
    hogs = [target_of(web.installation, client) for client in family_of_two]

    asyncio.run(share_places(web, hogs))


async def share_places(web: Web, hogs: list[Target]) -> None:
    content = content_of(5000)
    async with AsyncExitStack() as stack:
        for hog in hogs:
            await stack.enter_async_context(attacked(crowd.drip_body, hog, count=40))
        answers = []
        for _ in range(5):
            await asyncio.sleep(1)
            answers.append(await ask(web.honest.port, web.honest.upload(len(content)), content))

    assert [answer.status for answer in answers] == [201] * 5


async def visit(honest: Target) -> float:
    """Upload, look, and download, as an honest client does; return how long that took."""
    began = time.monotonic()
    content = content_of(5000)
    path = await send(honest, content)
    await read_status(replace(honest, task=path))
    answer = await ask(honest.port, honest.head("GET", f"{path}?csv_name=in.csv"))
    assert answer.content == content
    return time.monotonic() - began


# ---- The end -------------------------------------------------------------------------------------


def test_make_run_ends_in_time_with_hundreds_of_open_uploads(tmp_path: Path) -> None:
    crowd.raise_file_limit()
    run = MakeRun(tmp_path)
    try:
        run.wait_until_ready()
        target = sign_in(run)
        asyncio.run(end_in_mid_upload(run, target))
    finally:
        run.kill()

    assert [*(run.folder / "files").rglob("*.csv")] == []


async def end_in_mid_upload(run: MakeRun, target: Target) -> None:
    async with attacked(crowd.drip_body, target, count=300):
        await asyncio.sleep(3)
        assert [*(run.folder / "files").rglob("*.csv*")] != []  # some have begun
        run.process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(run.process.wait, STOP_SECONDS)


def sign_in(run: MakeRun) -> Target:
    """Sign in with the key that `make run` prints."""
    api_key = re.search(r"API key  (\w+)", run.text())
    assert api_key
    body = {"data": {"api_key": api_key[1]}}
    url = f"http://127.0.0.1:{run.port}/v2"
    answer = requests.put(f"{url}/api_auth", json=body, timeout=30).json()
    account_id = answer["data"]["account_id"]
    return Target(run.port, answer["auth_token"], f"/v2/accounts/{account_id}/tasks")
