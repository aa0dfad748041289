"""Do uploads arrive as real clients send them, and do those see the answer when one is refused?"""

from __future__ import annotations

import gzip
import http.client
import json
import select
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import pytest
import requests

from tests.acceptance.installation import Client, Installation
from tests.servers import find, needing_programs

pytestmark = pytest.mark.acceptance

GIBIBYTE = 2**30
MEBIBYTE = 2**20
ACTION = {"category": "number_management", "action": "add"}
QUERY = "category=number_management&action=add"
CSV = {"Content-Type": "text/csv"}
HEADER = b"number,account_id\n"
ROW = b"+14157215234,009afc511c97b2ae693c6cc4920988e8\n"
ROWS = ROW * 1400  # about 64 KiB
SECONDS = 60  # to wait for anything


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """An account on a web server; nobody works off tasks."""
    installation = Installation(tmp_path_factory.mktemp("web"))
    installation.commands = {"web": installation.commands["web"]}
    with installation:
        yield Client(installation)


class Counted:
    """A body without a length, produced as it is sent; counts what a client took of it."""

    def __init__(self, first: bytes, size: int) -> None:
        self.first = first
        self.size = size
        self.taken = 0

    def __iter__(self) -> Iterator[bytes]:
        self.taken = len(self.first)
        yield self.first
        while self.taken < self.size:
            self.taken += len(ROWS)
            yield ROWS


class RawClient:
    """A client that looks for an answer after each block it sends."""

    def __init__(self, client: Client, *headers: str, query: str = QUERY) -> None:
        address = urlsplit(client.tasks)
        assert address.hostname
        assert address.port
        self.socket = socket.create_connection((address.hostname, address.port), timeout=SECONDS)
        token = str(client.session.headers["X-Auth-Token"])
        lines = [
            f"PUT {address.path}?{query} HTTP/1.1",
            f"Host: {address.netloc}",
            f"X-Auth-Token: {token}",
            "Content-Type: text/csv",
            *headers,
        ]
        self.socket.sendall("".join(f"{line}\r\n" for line in [*lines, ""]).encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.socket.close()

    def is_answered(self) -> bool:
        return bool(select.select([self.socket], [], [], 0)[0])

    def send(self, block: bytes) -> None:
        self.socket.sendall(block)

    def read_answer(self) -> tuple[int, dict[str, Any]]:
        """Return the status and the body."""
        answer = http.client.HTTPResponse(self.socket)
        answer.begin()
        return answer.status, json.loads(answer.read())


def task_count(client: Client) -> int:
    answer = client.session.get(client.tasks, params={"page_size": 1000}, timeout=SECONDS)
    return len(answer.json()["data"])


# ---- Uploads that arrive -------------------------------------------------------------------------


def test_a_chunked_upload_arrives_whole(client: Client) -> None:
    body = Counted(HEADER, 5 * MEBIBYTE)

    task_id = client.upload(iter(body), **ACTION)

    row_count = (body.taken - len(HEADER)) // len(ROW)
    assert client.get(task_id)["total_count"] == row_count
    assert client.download(task_id, "in.csv") == HEADER + ROW * row_count


def test_a_gzipped_chunked_upload_arrives_whole(client: Client) -> None:
    packed = gzip.compress(HEADER + ROWS)
    blocks = (packed[start : start + 100] for start in range(0, len(packed), 100))
    headers = CSV | {"Content-Encoding": "gzip"}

    answer = client.session.put(
        client.tasks, params=ACTION, data=blocks, headers=headers, timeout=SECONDS
    )

    assert answer.status_code == 201
    assert answer.json()["data"]["_read_only"]["total_count"] == 1400


@pytest.mark.parametrize("more", [[], ["-H", "Transfer-Encoding: chunked"]])
def test_curl_uploads_a_file(client: Client, tmp_path: Path, more: list[str]) -> None:
    status, task = curl(client, tmp_path, HEADER + ROWS, "-H", "Content-Type: text/csv", *more)

    assert (status, task["data"]["_read_only"]["total_count"]) == (201, 1400)


def curl(client: Client, folder: Path, content: bytes, *options: str) -> tuple[int, dict[str, Any]]:
    """Upload as the specification does it; return the status and the body."""
    with needing_programs():
        program = str(find("curl", package="curl"))
    (folder / "upload.csv").write_bytes(content)
    token = f"X-Auth-Token: {client.session.headers['X-Auth-Token']!s}"
    command = [
        program, "-sS", "-X", "PUT", "-H", token, *options, "-w", "\n%{http_code}",
        "--data-binary", f"@{folder / 'upload.csv'}", f"{client.tasks}?{QUERY}",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=SECONDS)
    body, _, status = done.stdout.rpartition("\n")
    return int(status), json.loads(body)


# ---- Uploads that are refused --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "where"), [(b"number,account_id,\n", "csv"), (b"number,wef\n", "attachment")]
)
@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_fault_in_the_header_is_answered_early(
    client: Client, header: bytes, where: str, is_chunked: bool
) -> None:
    length = "Transfer-Encoding: chunked" if is_chunked else f"Content-Length: {GIBIBYTE}"
    rows = ROWS.replace(b",009afc511c97b2ae693c6cc4920988e8", b",") if where == "csv" else ROWS
    sent = 0
    with RawClient(client, length) as raw:
        block = header
        while not raw.is_answered():
            assert sent < 0.15 * GIBIBYTE
            raw.send(b"%x\r\n%b\r\n" % (len(block), block) if is_chunked else block)
            sent += len(block)
            block = rows
        status, body = raw.read_answer()

    assert (status, list(body["data"])) == (500, [where])
    assert sent < 0.15 * GIBIBYTE


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        (QUERY, {"X-Auth-Token": "bad"}, 401),
        ("category=magic&action=add", {}, 404),
        (QUERY, {"Content-Type": "text/plain"}, 415),
    ],
)
def test_what_needs_no_body_is_answered_before_it(
    client: Client, query: str, headers: dict[str, str], status: int
) -> None:
    """A client that does not look sends on; only who has shown a good token is heard out."""
    body = Counted(HEADER, GIBIBYTE)
    sent = {"X-Auth-Token": str(client.session.headers["X-Auth-Token"])} | CSV | headers

    answer = requests.put(f"{client.tasks}?{query}", data=iter(body), headers=sent, timeout=SECONDS)

    assert answer.status_code == status
    assert status != 401 or body.taken < 0.15 * GIBIBYTE


def test_requests_sees_why_a_large_upload_was_refused(client: Client) -> None:
    body = Counted(b"number,wef\n", GIBIBYTE)

    answer = client.session.put(
        client.tasks, params=ACTION, data=iter(body), headers=CSV, timeout=SECONDS
    )

    assert answer.status_code == 500
    assert answer.json()["data"]["attachment"]["type"]["unknown_fields"] == ["wef"]


def test_curl_sees_why_a_large_upload_was_refused(client: Client, tmp_path: Path) -> None:
    content = b"number,wef\n" + ROWS * 1000  # 64 MiB

    status, body = curl(client, tmp_path, content, "-H", "Content-Type: text/csv")

    assert (status, list(body["data"])) == (500, ["attachment"])


@pytest.mark.parametrize("size", [MEBIBYTE // 2, 4 * MEBIBYTE])
def test_a_client_that_writes_before_it_reads_sees_the_answer(client: Client, size: int) -> None:
    address = urlsplit(client.tasks)
    connection = http.client.HTTPConnection(address.netloc, timeout=SECONDS)

    connection.request("PUT", f"{address.path}?{QUERY}", b"x" * size, {"X-Auth-Token": "bad"})

    assert connection.getresponse().status == 401
    connection.close()


def test_a_length_beyond_the_limit_is_refused_without_a_single_byte(client: Client) -> None:
    with RawClient(client, f"Content-Length: {100 * 2**40}") as raw:
        status, body = raw.read_answer()

    assert (status, body["message"]) == (413, "request_too_large")


@pytest.mark.parametrize(
    "chunks", [b"4\r\nnum", b"zz\r\nnumber\r\n", b"4\r\nnumber\r\n0\r\n\r\n", b"-1\r\n"]
)
def test_chunks_that_are_malformed_or_missing_are_a_faulty_request(
    client: Client, chunks: bytes
) -> None:
    before = task_count(client)
    with RawClient(client, "Transfer-Encoding: chunked") as raw:
        raw.send(chunks)
        raw.socket.shutdown(socket.SHUT_WR)
        status, body = raw.read_answer()

    assert (status, body["message"]) == (400, "faulty_request")
    assert task_count(client) == before


def test_a_body_that_ends_early_leaves_nothing(client: Client) -> None:
    before = task_count(client)
    with RawClient(client, f"Content-Length: {len(HEADER + ROWS) + 1}") as raw:
        raw.send(HEADER + ROWS)
        raw.socket.shutdown(socket.SHUT_WR)
        status, body = raw.read_answer()

    assert (status, body["message"]) == (400, "faulty_request")
    assert task_count(client) == before


def test_a_connection_goes_on_after_a_refused_upload(client: Client) -> None:
    for _ in range(3):
        answer = client.session.put(
            client.tasks, params=ACTION, data=b"number,wef\n" + ROWS, headers=CSV, timeout=SECONDS
        )

        assert answer.status_code == 500
    assert client.session.get(client.tasks, timeout=SECONDS).status_code == 200
