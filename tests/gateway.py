"""What may stand in front of object storage? A gateway that answers or alters."""

from __future__ import annotations

import http.client
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "date", "server", "expect"}
RANGE = re.compile(r"bytes=(\d+)-(\d+)")


@dataclass(frozen=True)
class Asked:
    """A request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def wanted_range(self) -> tuple[int, int] | None:
        """The first and the last byte that are asked for."""
        name = next((name for name in self.headers if name.lower() == "range"), "")
        match = RANGE.fullmatch(self.headers.get(name, ""))
        return (int(match[1]), int(match[2])) if match else None

    def with_range(self, wanted: str) -> Asked:
        """Return the request with another range, or with none."""
        others = {name: value for name, value in self.headers.items() if name.lower() != "range"}
        return replace(self, headers=others | ({"Range": wanted} if wanted else {}))


@dataclass(frozen=True)
class Answer:
    """What is sent back; `cut_bytes` of the body are not."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut_bytes: int = 0

    def saying(self, **headers: str) -> Answer:
        """Return the answer with other headers: `content_range="…"`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        others = {name: value for name, value in self.headers.items() if name.lower() not in named}
        return replace(self, headers=others | named)


PassOn = Callable[[Asked], Answer]
Rule = Callable[[Asked, PassOn], Answer]


def honest(asked: Asked, pass_on: PassOn) -> Answer:
    """Change nothing."""
    return pass_on(asked)


class QuietServer(ThreadingHTTPServer):
    """A server that does not print that clients have gone."""

    def handle_error(self, *_arguments: Any) -> None:
        pass


class Gateway:
    """Answers at `url` as `rule` says; `asked` are the requests so far."""

    def __init__(self, target: str, rule: Rule = honest) -> None:
        self.target = urlsplit(target)
        self.rule = rule
        self.asked: list[Asked] = []
        self.server = QuietServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def pass_on(self, asked: Asked) -> Answer:
        """Ask the storage."""
        assert self.target.hostname
        connection = http.client.HTTPConnection(self.target.hostname, self.target.port, timeout=60)
        try:
            connection.request(asked.method, asked.path, asked.body or None, asked.headers)
            said = connection.getresponse()
            headers = {
                name: value for name, value in said.getheaders() if name.lower() not in HOP_BY_HOP
            }
            return Answer(said.status, headers, said.read())
        finally:
            connection.close()

    def _handler(gateway) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - `self` is the handler
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def serve(self) -> None:
                headers = {
                    name: value
                    for name, value in self.headers.items()
                    if name.lower() not in HOP_BY_HOP
                }
                asked = Asked(self.command, self.path, headers, self.read_body())
                gateway.asked.append(asked)
                answer = gateway.rule(asked, gateway.pass_on)
                self.send_response(answer.status)
                named = {name.lower() for name in answer.headers}
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                if "content-length" not in named:
                    self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer.body[: len(answer.body) - answer.cut_bytes])
                    self.close_connection = bool(answer.cut_bytes)

            def read_body(self) -> bytes:
                if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length", 0)))
                body = b""
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                while self.rfile.readline().strip():
                    pass
                return body

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = serve  # noqa: N815

            def log_message(self, *_arguments: Any) -> None:
                pass

        return Handler


# ---- Others answer in the storage's place --------------------------------------------------------


def answering(status: int, body: bytes = b"", **headers: str) -> Rule:
    """Return a rule that answers everything alike."""
    answer = Answer(status, body=body).saying(**headers)
    return lambda _asked, _pass_on: answer


def code(name: str) -> bytes:
    """Return S3's words for an error."""
    return b"<?xml version='1.0'?><Error><Code>%s</Code></Error>" % name.encode()


PAGE = b"<html><head><title>Nothing here</title></head><body><p>Nothing here</p></body></html>"
EMPTY_LIST = b"<?xml version='1.0'?><ListBucketResult></ListBucketResult>"
IN_ITS_PLACE: dict[str, Rule] = {
    "404 as text": answering(404, b"default backend - 404", content_type="text/plain"),
    "404 as a page": answering(404, PAGE, content_type="text/html"),
    "404 and nothing": answering(404),
    "404 of another bucket": answering(404, code("NoSuchBucket")),
    "404 that sounds like S3": answering(404, code("NoSuchKey")),
    "200 and nothing": answering(200),
    "200 as a page": answering(200, PAGE, content_type="text/html"),
    "200 as JSON": answering(200, b'{"status": "ok"}', content_type="application/json"),
    "200 as an empty list": answering(200, EMPTY_LIST, content_type="application/xml"),
    "204": answering(204),
    "206 and nothing": answering(206),
    "301 to somewhere": answering(301, location="https://storage.example/"),
    "301 of S3": answering(301, code("PermanentRedirect")),
    "302 to a sign-in": answering(302, PAGE, location="/login", content_type="text/html"),
    "307 to somewhere": answering(307, location="https://storage.example/"),
    "308 to somewhere": answering(308, location="https://storage.example/"),
    "400 expired token": answering(400, code("ExpiredToken")),
    "400 and nothing": answering(400),
    "403 clock": answering(403, code("RequestTimeTooSkewed")),
    "403 and nothing": answering(403),
    "409": answering(409, code("OperationAborted")),
    "416": answering(416, code("InvalidRange")),
    "418": answering(418),
    "429": answering(429, b"slow down"),
    "500": answering(500, code("InternalError")),
    "502 as a page": answering(502, PAGE, content_type="text/html"),
}


# ---- Others alter what it says of ranges ---------------------------------------------------------


def drop_range(asked: Asked, pass_on: PassOn) -> Answer:
    """Let the header `Range` go lost."""
    return pass_on(asked.with_range(""))


def of_ranges(alter: Callable[[Asked, PassOn, int, int], Answer]) -> Rule:
    """Return a rule that alters answers to ranges only."""

    def rule(asked: Asked, pass_on: PassOn) -> Answer:
        wanted = asked.wanted_range
        return alter(asked, pass_on, *wanted) if wanted else pass_on(asked)

    return rule


@of_ranges
def first_bytes(asked: Asked, pass_on: PassOn, first: int, last: int) -> Answer:
    """Answer with as many bytes of the beginning, and say so."""
    return pass_on(asked.with_range(f"bytes=0-{last - first}"))


@of_ranges
def one_byte_late(asked: Asked, pass_on: PassOn, first: int, last: int) -> Answer:
    """Answer with what begins one byte later, and say so."""
    return pass_on(asked.with_range(f"bytes={first + 1}-{last}"))


@of_ranges
def wrong_label(asked: Asked, pass_on: PassOn, first: int, last: int) -> Answer:
    """Answer with the right bytes and say that they are others."""
    size = last + 1
    return pass_on(asked).saying(content_range=f"bytes 0-{last - first}/{size}")


@of_ranges
def no_label(asked: Asked, pass_on: PassOn, first: int, last: int) -> Answer:
    """Answer with the right bytes and do not say which they are."""
    answer = pass_on(asked)
    kept = {name: said for name, said in answer.headers.items() if name.lower() != "content-range"}
    return replace(answer, headers=kept)


@of_ranges
def short_body(asked: Asked, pass_on: PassOn, first: int, last: int) -> Answer:
    """Answer with half of it, under the right label."""
    answer = pass_on(asked)
    half = answer.body[: len(answer.body) // 2]
    return replace(answer, body=half).saying(content_length=str(len(half)))


@of_ranges
def cut_body(asked: Asked, pass_on: PassOn, first: int, last: int) -> Answer:
    """Break off in the middle."""
    answer = pass_on(asked)
    return replace(answer, cut_bytes=max(len(answer.body) // 2, 1))


@of_ranges
def nothing_there(asked: Asked, pass_on: PassOn, first: int, last: int) -> Answer:
    """Say that the object ends before the range begins."""
    return Answer(416, body=code("InvalidRange"))


@of_ranges
def smaller_whole(asked: Asked, pass_on: PassOn, first: int, last: int) -> Answer:
    """Say that the whole object is smaller than it is."""
    answer = pass_on(asked)
    return answer.saying(content_range=f"bytes {first}-{last}/{last + 1}")


@of_ranges
def other_bytes(asked: Asked, pass_on: PassOn, first: int, last: int) -> Answer:
    """Answer with other bytes under the right label: only checksums tell."""
    answer = pass_on(asked)
    return replace(answer, body=answer.body[::-1])


LIES_THAT_SHOW: dict[str, Rule] = {
    "Range is dropped": drop_range,
    "another range": first_bytes,
    "a range that begins late": one_byte_late,
    "a wrong Content-Range": wrong_label,
    "no Content-Range": no_label,
    "a short body": short_body,
    "a body that breaks off": cut_body,
    "416 of everything": nothing_there,
}
LIES: dict[str, Rule] = LIES_THAT_SHOW | {
    "a smaller object": smaller_whole,
    "other bytes": other_bytes,
}
