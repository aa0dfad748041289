import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from gunicorn.config import Config

from piston.http.transfers import TransferSlots
from piston.web import request_queue
from piston.web.client_socket import BufferQuota, ClientSocket
from piston.web.connections import Connection
from piston.web.request_queue import RequestQueue

MakeConnection = Callable[[], Connection]


@pytest.fixture
def make_connection() -> Iterator[MakeConnection]:
    slots, quota = TransferSlots(1, per_client=1), BufferQuota(1000)
    with ExitStack() as stack:

        def make() -> Connection:
            near, far = socket.socketpair()
            stack.callback(near.close)
            stack.callback(far.close)
            client_socket = ClientSocket(near, "client", slots, quota, 1024)
            return Connection(Config(), client_socket, ("127.0.0.1", 1), ("127.0.0.1", 2))

        yield make


def begun(queue: RequestQueue) -> list[Connection]:
    """Start all requests for which a thread is free."""
    return list(iter(queue.start_next, None))


def test_the_request_that_has_waited_longest_gets_the_free_thread(
    make_connection: MakeConnection,
) -> None:
    first, second, third = (make_connection() for _ in range(3))
    queue = RequestQueue(1)
    for connection in (first, second, third):
        assert queue.add(connection, is_urgent=False)

    assert begun(queue) == [first]
    queue.finish(first)
    assert begun(queue) == [second]


def test_an_urgent_request_has_a_thread_beside_those_of_others(
    make_connection: MakeConnection,
) -> None:
    busy, waiting, urgent = (make_connection() for _ in range(3))
    queue = RequestQueue(1)
    queue.add(busy, is_urgent=False)
    queue.add(waiting, is_urgent=False)
    assert begun(queue) == [busy]

    queue.add(urgent, is_urgent=True)

    assert begun(queue) == [urgent]


def test_beyond_the_longest_queue_only_an_urgent_request_is_taken(
    make_connection: MakeConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_queue, "MAX_QUEUE_LENGTH", 2)
    queue = RequestQueue(1)
    taken = [queue.add(make_connection(), is_urgent=False) for _ in range(3)]

    assert taken == [True, True, False]
    assert queue.add(make_connection(), is_urgent=True)


def test_of_many_urgent_requests_one_is_urgent_and_the_others_wait_their_turn(
    make_connection: MakeConnection,
) -> None:
    flood = [make_connection() for _ in range(3)]
    ordinary = make_connection()
    queue = RequestQueue(1)
    queue.add(flood[0], is_urgent=True)
    queue.add(ordinary, is_urgent=False)
    for connection in flood[1:]:
        assert queue.add(connection, is_urgent=True)

    assert begun(queue) == [flood[0], ordinary]
    queue.finish(ordinary)
    assert begun(queue) == [flood[1]]


def test_a_flood_of_urgent_requests_counts_towards_the_longest_queue(
    make_connection: MakeConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_queue, "MAX_QUEUE_LENGTH", 2)
    queue = RequestQueue(1)

    taken = [queue.add(make_connection(), is_urgent=True) for _ in range(4)]

    assert taken == [True, True, False, False]


def test_when_the_urgent_request_is_over_another_one_can_be_urgent(
    make_connection: MakeConnection,
) -> None:
    busy, first, second = (make_connection() for _ in range(3))
    queue = RequestQueue(1)
    queue.add(busy, is_urgent=False)
    queue.add(first, is_urgent=True)
    begun(queue)
    queue.finish(first)

    queue.add(second, is_urgent=True)

    assert begun(queue) == [second]


def test_an_urgent_request_takes_no_thread_from_others(make_connection: MakeConnection) -> None:
    urgent, ordinary = make_connection(), make_connection()
    queue = RequestQueue(1)
    queue.add(urgent, is_urgent=True)
    queue.add(ordinary, is_urgent=False)

    assert set(begun(queue)) == {urgent, ordinary}
