import socket
from collections.abc import Iterator
from typing import Any

import pytest
from gunicorn.config import Config

from piston.http.transfers import TransferSlots
from piston.web.client_socket import BufferQuota, ClientSocket
from piston.web.connections import Connection, Phase, WaitingConnections


@pytest.fixture
def made() -> Iterator[list[Connection]]:
    """Five connections."""
    pairs = [socket.socketpair() for _ in range(5)]
    slots, quota = TransferSlots(1, per_client=1), BufferQuota(1000)
    sockets = [ClientSocket(near, "client", slots, quota, 1024) for near, _ in pairs]
    yield [
        Connection(Config(), client_socket, ("127.0.0.1", 1), ("127.0.0.1", 2))
        for client_socket in sockets
    ]
    for near, far in pairs:
        near.close()
        far.close()


def test_the_parser_reads_the_bytes_that_have_arrived(made: Any) -> None:
    made[0].received += b"GET / HTTP/1.1\r\nHost: x\r\n\r\nmore"

    made[0].begin(body_is_here=True)

    assert next(made[0].parser).path == "/"
    assert made[0].parser.unreader.take_buffered() == b"more"


def test_the_least_needed_is_the_oldest_of_those_that_are_done_then_idle_then_new(
    made: Any,
) -> None:
    waiting = WaitingConnections()
    phases = [Phase.SENDING, Phase.RECEIVING, Phase.RECEIVING, Phase.IDLE, Phase.LINGERING]
    for connection, phase in zip(made, phases, strict=True):
        waiting.add(connection, phase, 10)

    cut = []
    while (connection := waiting.least_needed()) is not None:
        waiting.remove(connection)
        cut.append(connection)

    assert cut == [made[4], made[3], made[1], made[2]]
    assert list(waiting) == [made[0]]


def test_only_those_whose_time_is_up_are_overdue(made: Any) -> None:
    waiting = WaitingConnections()
    waiting.add(made[0], Phase.IDLE, 10)
    waiting.add(made[1], Phase.IDLE, 0)

    assert waiting.overdue() == [made[1]]


def test_at_a_stop_nothing_waits_long_but_answers_on_their_way(made: Any) -> None:
    waiting = WaitingConnections()
    waiting.add(made[0], Phase.IDLE, 75)
    waiting.add(made[1], Phase.SENDING, 30)

    waiting.shorten_deadlines(0)

    assert waiting.overdue() == [made[0]]
