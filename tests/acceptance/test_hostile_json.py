"""Does a JSON body keep others waiting, whatever it holds? And do a million records arrive?"""

from __future__ import annotations

import asyncio
import gzip
import statistics
from collections.abc import Iterator

import pytest

from tests.acceptance.crowd import Answer, Target, ask, ask_on, connected
from tests.acceptance.test_overload import Web, serving
from tests.servers import wait_until

pytestmark = pytest.mark.acceptance

SIZE = 12_000_000  # bytes of a hostile body, unpacked
REQUESTS = 40  # of an honest client, in a row
SLOWER = 8  # so many times as before an honest request may take; it was 300 times
GROWTH_BYTES = 64 * 2**20  # that may stay in the web processes
RECORDS = 1_000_000


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


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """A web server; nobody works off tasks."""
    folder = tmp_path_factory.mktemp("web")
    with serving(folder, PISTON_SIGN_INS_PER_MINUTE="1000000") as served:
        yield served


def head_of_json(target: Target, content: bytes, *headers: str) -> bytes:
    path = f"{target.tasks}?category=number_management&action=add"
    length = f"Content-Length: {len(content)}"
    return target.head("PUT", path, "Content-Type: application/json", length, *headers)


async def look_often(target: Target) -> list[float]:
    """Ask for the list of tasks over and over on one connection; return how long each took."""
    seconds = []
    async with connected(target.port) as stream:
        for _ in range(REQUESTS):
            answer = await ask_on(stream, target.head("GET", target.tasks))
            assert answer.status == 200
            seconds.append(answer.seconds)
    return seconds


async def attack_with(target: Target, head: bytes, content: bytes, answers: list[Answer]) -> None:
    """Send the same over and over."""
    while True:
        answers.append(await ask(target.port, head, content))


async def compare(web: Web, requests: list[tuple[Target, bytes, bytes]]) -> list[Answer]:
    """See that an honest client waits little longer while others send these over and over."""
    answers: list[Answer] = []
    before = await look_often(web.honest)
    attacks = [asyncio.create_task(attack_with(*each, answers)) for each in requests]
    try:
        while not answers:  # one of them has been through
            await asyncio.sleep(0.05)
        during = await look_often(web.honest)
    finally:
        for attack in attacks:
            attack.cancel()
        await asyncio.gather(*attacks, return_exceptions=True)
    assert statistics.median(during) < SLOWER * statistics.median(before)
    return answers


@pytest.mark.parametrize("name", HOSTILE)
def test_others_do_not_wait_for_a_hostile_body(web: Web, name: str) -> None:
    content = gzip.compress(HOSTILE[name])
    requests = [
        (target, head_of_json(target, content, "Content-Encoding: gzip"), content)
        for target in web.targets[:2]
    ]
    resting = web.resident_bytes()

    answers = asyncio.run(compare(web, requests))

    assert {answer.status for answer in answers} <= {400, 500}
    assert {answer.document["message"] for answer in answers} <= {"invalid request", "invalid_json"}
    # converters of requests that were given up end by themselves
    wait_until(lambda: web.resident_bytes() - resting < GROWTH_BYTES, seconds=60)


def test_others_do_not_wait_for_those_who_sign_in_with_megabytes(web: Web) -> None:
    content = b"[%b]" % again(b"[]")
    head = web.honest.head("PUT", "/v2/api_auth", f"Content-Length: {len(content)}")

    answers = asyncio.run(compare(web, 2 * [(web.honest, head, content)]))

    assert {answer.status for answer in answers} == {413}


def test_who_signs_in_with_more_than_16_kib_need_not_send_it(web: Web) -> None:
    head = web.honest.head("PUT", "/v2/api_auth", "Content-Length: 16385")

    answer = asyncio.run(ask(web.honest.port, head))

    assert (answer.status, answer.document["message"]) == (413, "request_too_large")


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_million_records_become_a_task(web: Web, framing: str) -> None:
    target = web.targets[3]
    record = b'{"number":"+14157215234","account_id":"009afc511c97b2ae693c6cc4920988e8"}'
    content = body(b",".join(RECORDS * [record]))
    head = head_of_json(target, content)
    if framing == "chunked":
        head = head.replace(b"Content-Length: %d" % len(content), b"Transfer-Encoding: chunked")
        content = b"%x\r\n%b\r\n0\r\n\r\n" % (len(content), content)

    answer = asyncio.run(ask(target.port, head, content))

    assert answer.status == 201, answer.content
    assert answer.document["data"]["_read_only"]["total_count"] == RECORDS
