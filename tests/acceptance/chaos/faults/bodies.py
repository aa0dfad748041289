"""What if clients send bodies that take long to read?"""

from __future__ import annotations

import gzip
import http.client
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from tests.acceptance.chaos import breakages_of_files  # noqa: F401 - adds its breakages
from tests.acceptance.chaos.faults import fault
from tests.acceptance.chaos.scene import EMBEDDED, RABBITMQ, REDIS
from tests.acceptance.chaos.work import Work
from tests.acceptance.installation import Client

LISTS = b"[%b[]]" % (b"[]," * 5_000_000)  # 15 MB
ROUNDS, REQUESTS = 2, 100  # undisturbed and attacked in turn
SLOWER = 2.0  # so many times the slowest hundredth may take meanwhile
HOPELESS = 10.0  # nothing else on the machine disturbs that much
MAX_SECONDS = 20.0  # of a row of requests; a broken build would take half an hour
ATTEMPTS = 3  # to measure that: rows and other programs of the machine disturb as well
SECONDS = 60  # to wait for an answer
PAUSE_SECONDS = 0.2  # of an attacker


@fault(
    "clients repeatedly sign in with 15 MB of JSON, and send records with almost no content",
    outcome="they are refused; other clients do not wait noticeably longer",
    on=(EMBEDDED, RABBITMQ, REDIS),
    broken_by="json-read-at-once",
)
def json_bodies_hostile(work: Work) -> None:
    """Compare how long requests take undisturbed and meanwhile."""
    work.begin("write", "spread")
    ratios: list[float] = []
    while not ratios or (SLOWER < ratios[-1] < HOPELESS and len(ratios) < ATTEMPTS):
        ratios.append(measure(work.scene.client))
    said = ", ".join(f"{ratio:.1f}" for ratio in ratios)
    work.remarks.append(f"the slowest hundredth of requests took {said} times as long")
    assert ratios[-1] <= SLOWER, work.remarks[-1]


def measure(client: Client) -> float:
    """Return how many times as long the slowest hundredth of requests takes under attack."""
    path = f"{urlsplit(client.tasks).path}?category=chaos&action=write"
    packed = gzip.compress(b'{"data":{"records":[{"key":%b}]}}' % LISTS)
    undisturbed: list[float] = []
    meanwhile: list[float] = []
    for _ in range(ROUNDS):
        undisturbed += seconds_of_requests(client)
        with attacked(client, "/v2/api_auth", LISTS), attacked(client, path, packed, gzipped=True):
            meanwhile += seconds_of_requests(client)
    slowest = [statistics.quantiles(each, n=100)[-1] for each in (meanwhile, undisturbed)]
    return slowest[0] / slowest[1]


def seconds_of_requests(client: Client) -> list[float]:
    """Ask for the list of tasks over and over; return how long each answer took."""
    seconds: list[float] = []
    while len(seconds) < REQUESTS and sum(seconds) < MAX_SECONDS:
        began = time.monotonic()
        assert client.session.get(client.tasks, timeout=SECONDS).status_code == 200
        seconds.append(time.monotonic() - began)
    return seconds


@contextmanager
def attacked(client: Client, path: str, content: bytes, *, gzipped: bool = False) -> Iterator[None]:
    """Let two clients send a body over and over; the first has arrived before this goes on."""
    is_over, has_begun = threading.Event(), threading.Event()
    headers = {"X-Auth-Token": str(client.session.headers["X-Auth-Token"])}
    headers |= {"Content-Type": "application/json"}
    headers |= {"Content-Encoding": "gzip"} if gzipped else {}

    def send() -> None:
        while not is_over.wait(PAUSE_SECONDS):
            connection = http.client.HTTPConnection(urlsplit(client.url).netloc, timeout=SECONDS)
            try:
                connection.request("PUT", path, body=content, headers=headers)
                has_begun.set()
                connection.getresponse().read()
            except (OSError, http.client.HTTPException):
                has_begun.set()  # refused while we were sending
            finally:
                connection.close()

    attackers = [threading.Thread(target=send) for _ in range(2)]
    for attacker in attackers:
        attacker.start()
    try:
        assert has_begun.wait(SECONDS)
        yield
    finally:
        is_over.set()
        for attacker in attackers:
            attacker.join()
