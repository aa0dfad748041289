"""Is every answer a documented one, whatever is sent, and does nothing hang or grow?"""

from __future__ import annotations

import gzip
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.acceptance import hostile
from tests.acceptance.hostile import Request
from tests.acceptance.installation import Client, Installation
from tests.acceptance.raw_http import Answer, exchange, split_answers
from tests.patience import many

pytestmark = pytest.mark.acceptance

ADD = {"category": "number_management", "action": "add"}
DOCUMENTED = {
    400, 401, 403, 404, 405, 406, 408, 411, 412, 413, 414, 415, 416, 417, 429, 431, 500, 501, 503,
}  # fmt: skip
ENVELOPE = {"data", "node", "request_id", "status", "timestamp", "version"}
MAX_GROWTH_BYTES = 64 * 2**20  # of all web processes together, between a warm-up and the end
OPTIONS = settings(
    max_examples=many(150),
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
)


class Target:
    """A whole installation with two accounts that have tasks, made anew when one is deleted."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.port = installation.port
        self.clients = {names: Client(installation) for names in (hostile.OWN, hostile.OTHER)}
        self.meant: dict[bytes, bytes] = {}
        self.make_tasks()

    def make_tasks(self) -> None:
        """Let the names of `hostile` mean tasks that exist."""
        for names, client in self.clients.items():
            number = f"+1415{len(self.meant)}{time.monotonic_ns() % 10**6:06}"
            content = f"number,account_id\n{number},{client.account_id}\n".encode()
            ended, pending = client.upload(content, **ADD), client.upload(content, **ADD)
            client.call("PATCH", ended)
            client.wait_for_end(ended)
            token = str(client.session.headers["X-Auth-Token"])
            values = [token, client.account_id, ended, pending]
            self.meant |= dict(zip(names, map(str.encode, values), strict=True))

    def send(self, *requests: Request, pieces: int = 1) -> list[Answer]:
        sent = b"".join(request.encode() for request in requests)
        for name, value in self.meant.items():
            sent = sent.replace(name, value)
        methods = [request.method.decode("latin-1") for request in requests]
        answers = split_answers(exchange(self.port, sent, pieces=pieces), methods)
        if b"DELETE" in sent and any(answer.status == 200 for answer in answers):
            self.make_tasks()
        return answers

    def memory_bytes(self) -> int:
        """Return what the web processes hold: the supervisor of gunicorn and its children."""
        parent = self.installation.processes["web"].pid
        pids = [parent, *children_of(parent)]
        status = "".join(Path(f"/proc/{pid}/status").read_text() for pid in pids)
        return 1024 * sum(int(size) for size in re.findall(r"VmRSS:\s+(\d+) kB", status))


def children_of(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children]


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """The embedded default, throttled by nothing, for an hour of requests may come."""
    plenty = str(10**9)
    installation = Installation(
        tmp_path_factory.mktemp("fuzzed"),
        PISTON_REQUESTS_PER_MINUTE=plenty,
        PISTON_SIGN_INS_PER_MINUTE=plenty,
        PISTON_TOKEN_SECONDS="86400",
        PISTON_MAX_EXPANDED_BYTES=str(24 * 2**20),  # so that a gzip bomb is a small one
        PISTON_MAX_JSON_BYTES=str(24 * 2**20),
    )
    with installation:
        yield Target(installation)
        assert "Traceback" not in installation.log("web")


def judge(answer: Answer, target: bytes = b"/v2") -> None:
    """Check that an answer is one that docs/api.md has; outside /v2/ only that it is no trace."""
    assert answer.is_whole, answer
    assert b"Traceback" not in answer.body, answer
    assert "x-injected" not in answer.headers, answer
    kind = answer.headers.get("content-type", "")
    if answer.status in {200, 206} and kind == "text/csv":
        return
    is_preflight = answer.headers.get("vary") == "origin" and not answer.body
    if answer.status == 304 or is_preflight or not target.startswith(b"/v2"):
        return
    assert kind == "application/json", answer
    assert answer.status in {200, 201} | DOCUMENTED, answer
    if answer.body:
        judge_envelope(answer)


def judge_envelope(answer: Answer) -> None:
    body = answer.json()
    assert body.keys() >= ENVELOPE, answer
    assert body["request_id"] == answer.headers["x-request-id"], answer
    if answer.status < 400:
        assert body["status"] == "success", answer
        assert "revision" in body, answer
    else:
        assert (body["status"], body["error"]) == ("error", str(answer.status)), answer
        assert body["message"], answer
        assert answer.status != 500 or body["message"] == "invalid request", answer
        assert answer.status not in {429, 503} or "retry-after" in answer.headers, answer
    assert b":null" not in answer.body.replace(b" ", b""), answer


@pytest.mark.parametrize("kind", hostile.KINDS)
def test_every_answer_is_a_documented_one(target: Target, kind: str) -> None:
    @given(hostile.KINDS[kind], st.sampled_from([1, 1, 1, 3]))
    @OPTIONS
    def send(request: Request, pieces: int) -> None:
        for answer in target.send(request, pieces=pieces):
            judge(answer, request.target)

    send()


def test_requests_in_one_go_are_answered_one_after_the_other(target: Target) -> None:
    @given(st.lists(hostile.KINDS["good HTTP"], min_size=2, max_size=5))
    @OPTIONS
    def send(requests: list[Request]) -> None:
        kept_open = [request.kept_open() for request in requests[:-1]]
        answers = target.send(*kept_open, requests[-1])
        for answer in answers:
            judge(answer, b"/v2" if all(each.is_for_api for each in requests) else b"")

    send()


def test_a_gzip_bomb_is_refused_while_it_expands(target: Target) -> None:
    before = target.memory_bytes()

    for kind in (b"text/csv", b"application/json"):
        [answer] = target.send(hostile.upload(gzip.compress(b"\n" * 200 * 2**20), kind))

        assert answer.status in {413, 500}
        assert "more than" in answer.json()["data"].get("reason", str(answer.json()["data"]))
    assert target.memory_bytes() - before < MAX_GROWTH_BYTES


def test_the_web_does_not_grow(target: Target) -> None:
    """As the others, but for memory: what a few hundred requests need is there by now."""

    @given(st.one_of(*hostile.KINDS.values()))
    @OPTIONS
    def send(request: Request) -> None:
        target.send(request)

    send()
    before = target.memory_bytes()
    send()
    send()

    assert target.memory_bytes() - before < MAX_GROWTH_BYTES
