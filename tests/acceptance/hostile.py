"""What may a client send that nobody would think of? Strategies for raw HTTP requests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from tests.acceptance.odd_values import (
    bodies,
    encoded,
    known_headers,
    list_queries,
    odd_bytes,
    odd_header,
    odd_headers,
    queries,
    sensible_queries,
)

# What exists on the server goes by these names until a request is sent: token, account, a task
# that has ended, a task that waits; of the account that sends, and of another one.
OWN = (b"<own-token>", b"<own-account>", b"<own-ended>", b"<own-pending>")
OTHER = (b"<other-token>", b"<other-account>", b"<other-ended>", b"<other-pending>")


@dataclass(frozen=True)
class Request:
    """A request before it is bytes; all of it may be wrong."""

    method: bytes
    target: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    framing: str = "length"

    def encode(self) -> bytes:
        """Return the bytes to send."""
        framed, body = frame(self.framing, self.body)
        lines = [b"%b %b HTTP/1.1" % (self.method, self.target)]
        lines += [b"%b: %b" % header for header in (*self.headers, *framed)]
        return b"\r\n".join([*lines, b"", b""]) + body

    @property
    def is_for_api(self) -> bool:
        """Is its address below /v2?"""
        return self.target.startswith(b"/v2")

    def kept_open(self) -> Request:
        """Return the same, without the wish to close the connection afterwards."""
        headers = tuple(each for each in self.headers if each[0] != b"Connection")
        return replace(self, headers=headers)


# ---- Framing -------------------------------------------------------------------------------------

LENGTH = b"Content-Length"
CHUNKED = (b"Transfer-Encoding", b"chunked")
FRAMINGS = [
    "length",
    "none",
    "too long",
    "too short",
    "negative",
    "no number",
    "signed",
    "huge",
    "twice",
    "chunked",
    "chunks with extensions",
    "bad chunk size",
    "huge chunk size",
    "negative chunk",
    "unfinished chunks",
    "chunk without its end",
    "both",
    "trailers",
    "gzip, chunked",
    "chunked twice",
]


def frame(kind: str, body: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Return the headers that tell how long the body is, and the body as it is sent."""
    size = len(body)
    half, rest = body[: size // 2], body[size // 2 :]
    chunk = b"%x\r\n%b\r\n" % (size, body) if size else b""
    framed: dict[str, tuple[list[tuple[bytes, bytes]], bytes]] = {
        "length": ([(LENGTH, b"%d" % size)], body),
        "none": ([], body),
        "too long": ([(LENGTH, b"%d" % (size + 7))], body),
        "too short": ([(LENGTH, b"%d" % (size // 2))], body),
        "negative": ([(LENGTH, b"-1")], body),
        "no number": ([(LENGTH, b"ten")], body),
        "signed": ([(LENGTH, b"+%d" % size)], body),
        "huge": ([(LENGTH, b"9" * 40)], body),
        "twice": ([(LENGTH, b"%d" % size), (LENGTH, b"%d" % (size + 1))], body),
        "chunked": ([CHUNKED], b"%x\r\n%b\r\n%b0\r\n\r\n" % (len(half), half, again(rest)))
        if half
        else ([CHUNKED], chunk + b"0\r\n\r\n"),
        "chunks with extensions": ([CHUNKED], b"%x;a=b\r\n%b\r\n0;c\r\n\r\n" % (size, body)),
        "bad chunk size": ([CHUNKED], b"xyz\r\n%b\r\n0\r\n\r\n" % body),
        "huge chunk size": ([CHUNKED], b"%b\r\n%b" % (b"f" * 60, body)),
        "negative chunk": ([CHUNKED], b"-5\r\n%b\r\n0\r\n\r\n" % body),
        "unfinished chunks": ([CHUNKED], chunk),
        "chunk without its end": ([CHUNKED], b"%x\r\n%b0\r\n\r\n" % (size, body)),
        "both": ([CHUNKED, (LENGTH, b"3")], chunk + b"0\r\n\r\n"),
        "trailers": ([CHUNKED], chunk + b"0\r\nX-Auth-Token: x\r\n\r\n"),
        "gzip, chunked": ([(CHUNKED[0], b"gzip, chunked")], chunk + b"0\r\n\r\n"),
        "chunked twice": ([(CHUNKED[0], b"chunked, chunked")], chunk + b"0\r\n\r\n"),
    }
    return framed[kind]


def again(body: bytes) -> bytes:
    """Return one more chunk."""
    return b"%x\r\n%b\r\n" % (len(body), body) if body else b""


# ---- Requests ------------------------------------------------------------------------------------
methods = st.one_of(
    *4 * [st.sampled_from([b"GET", b"PUT", b"PATCH", b"DELETE", b"HEAD", b"OPTIONS"])],
    st.sampled_from([b"POST", b"TRACE", b"CONNECT", b"PROPFIND", b"get", b"G\0T", b"", b"A" * 300]),
)


def pair(name: bytes) -> Callable[[bytes], list[tuple[bytes, bytes]]]:
    """Return what makes a header of a value."""
    return lambda value: [(name, value)]


accounts = st.one_of(*4 * [st.just(OWN[1])], st.just(OTHER[1]), encoded, odd_bytes)
tasks = st.one_of(
    *3 * [st.sampled_from(OWN[2:])],
    st.sampled_from(OTHER[2:]),
    st.just(b"0" * 30),
    encoded,
    odd_bytes,
)
ends = st.sampled_from([b"", b"/", b"/input", b"/output", b"/stop", b"/wef"])
paths = st.one_of(
    st.sampled_from(
        [b"/v2/tasks", b"/v2/api_auth", b"/v2", b"/v2/", b"/v1/tasks", b"/v2/x", b"/v2/tasks/"]
    ),
    accounts.map(lambda account: b"/v2/accounts/%b/tasks" % account),
    st.builds(lambda a, t, end: b"/v2/accounts/%b/tasks/%b%b" % (a, t, end), accounts, tasks, ends),
    st.builds(lambda t, end: b"/v2/tasks/%b%b" % (t, end), tasks, ends),
    st.sampled_from([b"//v2/tasks", b"*", b"", b"/v2/../healthz", b"http://x/v2/tasks"]),
    odd_bytes.map(lambda text: b"/v2/" + text),
)
good_tokens = st.sampled_from(
    [
        *6 * [[(b"X-Auth-Token", OWN[0])]],
        [(b"X-Auth-Token", OTHER[0])],
        [(b"X-Auth-Token", b"0" * 64)],
        [],
    ]
)
odd_tokens = st.one_of(
    odd_header.map(pair(b"X-Auth-Token")),
    odd_header.map(lambda value: [(b"Authorization", b"Bearer " + value)]),
    odd_header.map(lambda value: [(b"X-Auth-Token", value), (b"X-Auth-Token", OWN[0])]),
)
LOCAL = [(b"Host", b"localhost"), (b"Connection", b"close")]
some_known_headers = st.lists(known_headers, max_size=4, unique_by=lambda header: header[0])
good_headers = st.builds(lambda *groups: tuple(sum(groups, LOCAL)), good_tokens, some_known_headers)
wild_headers = st.builds(
    lambda *groups: tuple(sum(groups, [(b"Connection", b"close")])),
    st.one_of(st.just(LOCAL[:1]), odd_header.map(pair(b"Host"))),
    st.one_of(good_tokens, odd_tokens),
    st.lists(st.one_of(known_headers, odd_headers), max_size=4),
)


def with_query(*choices: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Return targets: a path, and of each other choice a part of the query."""
    return st.builds(lambda path, *parts: path + b"?" + b"&".join(parts), *choices)


some_query = st.one_of(st.just(b""), sensible_queries, queries)
some_content = st.one_of(
    st.just([(b"Content-Type", b"text/csv")]),
    st.just([(b"Content-Type", b"application/json")]),
    st.just([(b"Content-Type", b"text/csv"), (b"Content-Encoding", b"gzip")]),
    st.just([(b"Content-Type", b"application/json"), (b"Content-Encoding", b"gzip")]),
    st.just([]),
)
KINDS = {
    "anything": st.builds(
        Request,
        methods,
        with_query(paths, some_query),
        wild_headers,
        bodies,
        st.sampled_from(FRAMINGS),
    ),
    "good HTTP": st.builds(
        Request,
        st.sampled_from([b"GET", b"PUT", b"PATCH", b"DELETE", b"HEAD", b"OPTIONS"]),
        with_query(paths, some_query, some_query),
        good_headers,
        bodies,
        st.sampled_from(["length", "chunked"]),
    ),
    "creations": st.builds(
        Request,
        st.just(b"PUT"),
        with_query(
            st.just(b"/v2/accounts/%b/tasks" % OWN[1]),
            st.sampled_from(
                [
                    b"category=number_management&action=add",
                    b"category=services&action=wef",
                    b"category=number_management&action=list",
                ]
            ),
            some_query,
        ),
        some_content.map(lambda content: (*LOCAL, (b"X-Auth-Token", OWN[0]), *content)),
        bodies,
        st.sampled_from(["length", "length", "chunked", *FRAMINGS]),
    ),
    "downloads": st.builds(
        Request,
        st.sampled_from([b"GET", b"GET", b"HEAD"]),
        with_query(
            st.sampled_from(
                [
                    b"/v2/accounts/%b/tasks/%b%b" % (OWN[1], OWN[2], end)
                    for end in (b"", b"/input", b"/output")
                ]
            ),
            some_query,
            st.sampled_from([b"csv_name=in.csv", b"csv_name=out.csv", b"spreadsheet=safe", b""]),
        ),
        some_known_headers.map(lambda more: (*LOCAL, (b"X-Auth-Token", OWN[0]), *more)),
        st.just(b""),
        st.just("none"),
    ),
    "lists": st.builds(
        Request,
        st.sampled_from([b"GET", b"HEAD"]),
        with_query(
            st.just(b"/v2/accounts/%b/tasks" % OWN[1]),
            list_queries,
        ),
        st.just((*LOCAL, (b"X-Auth-Token", OWN[0]))),
        st.just(b""),
        st.just("none"),
    ),
    "sign-ins": st.builds(
        Request,
        st.just(b"PUT"),
        st.just(b"/v2/api_auth"),
        good_headers,
        bodies,
        st.sampled_from(FRAMINGS),
    ),
}


def upload(body: bytes, kind: bytes) -> Request:
    """Return an upload of a gzipped body."""
    target = b"/v2/accounts/%b/tasks?category=number_management&action=add" % OWN[1]
    content = ((b"Content-Type", kind), (b"Content-Encoding", b"gzip"))
    return Request(b"PUT", target, (*LOCAL, (b"X-Auth-Token", OWN[0]), *content), body)
