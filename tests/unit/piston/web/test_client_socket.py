import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from piston.http.transfers import NoFreeSlot, ServerStopping, TooSlow, TransferSlots
from piston.web import minimum_rate
from piston.web.client_socket import MAX_SEND_BUFFER_BYTES, BufferQuota, ClientSocket

MEBIBYTE = 2**20


class Line:
    """A ClientSocket, and the client at its other end."""

    def __init__(self, *, slots: int = 1, memory: int = 8 * MEBIBYTE) -> None:
        near, self.client = socket.socketpair()
        self.client.settimeout(10)
        self.slots = TransferSlots(slots, per_client=slots)
        self.buffer_quota = BufferQuota(memory)
        self.client_socket = ClientSocket(near, "client", self.slots, self.buffer_quota, 1024)

    def receive(self, size: int) -> bytes:
        content = b""
        while len(content) < size and (block := self.client.recv(MEBIBYTE)):
            content += block
        return content

    def empty_outbox(self) -> None:
        while self.client_socket.send_buffer:
            self.client_socket.send_buffered()

    def close(self) -> None:
        self.client_socket.close()
        self.client.close()


MakeLine = Callable[..., Line]


@pytest.fixture
def make_line() -> Iterator[MakeLine]:
    with ExitStack() as stack:

        def make(**options: int) -> Line:
            line = Line(**options)
            stack.callback(line.close)
            return line

        yield make


@pytest.fixture
def line(make_line: MakeLine) -> Line:
    return make_line()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minimum_rate, "GRACE_SECONDS", 0.05)


# ---- Reading -------------------------------------------------------------------------------------


def test_what_is_there_is_read_without_a_slot(make_line: MakeLine) -> None:
    line = make_line(slots=0)
    line.client.sendall(b"hello")

    assert line.client_socket.recv(10) == b"hello"


def test_no_thread_waits_without_a_slot(make_line: MakeLine) -> None:
    with pytest.raises(NoFreeSlot):
        make_line(slots=0).client_socket.recv(10)


def test_a_client_that_hangs_up_is_gone_also_when_it_sent_something_before(line: Line) -> None:
    assert not line.client_socket.is_gone

    line.client.sendall(b"hello")
    assert not line.client_socket.is_gone

    line.client.close()
    assert line.client_socket.is_gone


def test_a_request_that_waited_holds_its_slot_until_it_is_over(line: Line) -> None:
    threading.Timer(0.05, line.client.sendall, [b"hello"]).start()

    assert line.client_socket.recv(10) == b"hello"
    assert line.slots.taken == 1
    line.client_socket.slot_holder.release()
    assert line.slots.taken == 0


@pytest.mark.usefixtures("impatient")
def test_a_silent_client_is_given_up(make_line: MakeLine) -> None:
    with pytest.raises(TooSlow, match="1024 bytes"):
        make_line().client_socket.recv(10)


def test_no_thread_waits_for_a_client_when_the_server_stops(line: Line) -> None:
    line.client_socket.is_over = True

    with pytest.raises(ServerStopping):
        line.client_socket.recv(10)


def test_a_client_that_is_gone_is_the_end(line: Line) -> None:
    line.client.close()

    assert line.client_socket.recv(10) == b""


def test_a_client_that_waits_for_leave_gets_it_once_its_body_is_read(line: Line) -> None:
    line.client.sendall(b"hello")
    line.client_socket.owes_continue = True

    assert line.client_socket.recv(2) == b"he"
    assert line.client_socket.recv(3) == b"llo"
    line.client_socket.sendall(b"!")

    assert line.client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n!"


# ---- Writing -------------------------------------------------------------------------------------


def test_what_a_client_does_not_take_waits_in_the_outbox(line: Line) -> None:
    content = bytes(range(256)) * 8192  # 2 MiB

    line.client_socket.sendall(content)

    assert line.client_socket.send_buffer
    assert line.slots.taken == 0
    receiving = threading.Thread(target=line.empty_outbox)
    receiving.start()
    assert line.receive(len(content)) == content
    receiving.join()


def test_later_parts_stay_behind_earlier_ones(line: Line) -> None:
    line.client_socket.sendall(b"a" * MEBIBYTE)
    line.client_socket.sendall(b"b")

    assert line.client_socket.send_buffer.endswith(b"ab")


def test_a_transfer_waits_for_its_client(line: Line) -> None:
    content = bytes(range(256)) * 8192
    line.client_socket.slot_holder.take()
    received: list[bytes] = []
    receiving = threading.Thread(target=lambda: received.append(line.receive(len(content))))
    receiving.start()

    line.client_socket.sendall(content)

    receiving.join()
    assert (received, line.client_socket.send_buffer) == ([content], b"")


@pytest.mark.parametrize(
    ("memory", "size"),
    [(64 * MEBIBYTE, MAX_SEND_BUFFER_BYTES + MEBIBYTE), (MEBIBYTE // 2, 2 * MEBIBYTE)],
)
def test_more_than_fits_into_memory_needs_a_slot(
    make_line: MakeLine, memory: int, size: int
) -> None:
    line = make_line(slots=0, memory=memory)

    with pytest.raises(ConnectionResetError):
        line.client_socket.sendall(b"x" * size)

    assert line.buffer_quota.reserve(memory)  # the connection that was given up holds no memory


@pytest.mark.usefixtures("impatient")
def test_a_client_that_takes_nothing_is_given_up(make_line: MakeLine) -> None:
    line = make_line()
    line.client_socket.slot_holder.take()

    with pytest.raises(ConnectionResetError, match="1024 bytes"):
        line.client_socket.sendall(b"x" * 2 * MEBIBYTE)


def over_tcp(receive_bytes: int) -> tuple[ClientSocket, socket.socket]:
    """Return a socket with the kernel's buffers in between, and the client at the other end."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    with socket.create_server(("127.0.0.1", 0)) as server:
        client.connect(server.getsockname())
        near, _ = server.accept()
    return ClientSocket(
        near, "client", TransferSlots(1, per_client=1), BufferQuota(0), 1024
    ), client


def test_what_the_kernel_keeps_is_not_taken_yet() -> None:
    client_socket, client = over_tcp(4096)
    with closing(client_socket), client:
        content = memoryview(bytes(MEBIBYTE))
        sent = client_socket._send_some(content)
        client_socket.rate.left_seconds = 0.0

        client_socket.count_acknowledged()

        taken = sent - client_socket.unacknowledged_bytes
        assert 0 <= taken < sent / 2
        assert client_socket.rate.left_seconds == taken / 1024


def test_what_leaves_the_kernel_earns_time_though_nothing_more_is_sent() -> None:
    client_socket, client = over_tcp(4096)
    with closing(client_socket), client:
        sent = client_socket._send_some(memoryview(bytes(MEBIBYTE)))
        client_socket.rate.left_seconds = 0.0

        left = sent
        while left and (block := client.recv(left)):
            left -= len(block)
        while client_socket.unacknowledged_bytes:  # until the last byte is acknowledged
            client_socket.count_acknowledged()

        assert client_socket.rate.left_seconds == pytest.approx(
            min(sent / 1024, minimum_rate.MAX_SEND_GRACE_SECONDS)
        )


def test_memory_comes_back_when_the_connection_ends(make_line: MakeLine) -> None:
    line = make_line(memory=4 * MEBIBYTE)
    line.client_socket.sendall(b"x" * 2 * MEBIBYTE)
    assert not line.buffer_quota.reserve(4 * MEBIBYTE)

    line.client_socket.close()

    assert line.buffer_quota.reserve(4 * MEBIBYTE)


def test_the_loop_drops_bytes_that_a_client_does_not_take_at_once(make_line: MakeLine) -> None:
    line = make_line(memory=0)

    line.client_socket.send_at_once(b"x" * 2 * MEBIBYTE)

    assert (line.client_socket.send_buffer, line.slots.taken) == (b"", 0)
    assert line.client.recv(10) == b"x" * 10


def test_a_slot_comes_back_when_the_connection_ends(line: Line) -> None:
    line.client_socket.slot_holder.take()

    line.client_socket.close()
    line.client_socket.close()

    assert line.slots.taken == 0


def test_a_slot_comes_back_when_another_request_begins(line: Line) -> None:
    line.client_socket.slot_holder.take()

    line.client_socket.begin(body_is_here=True)

    assert line.slots.taken == 0


def test_what_gunicorn_asks_of_a_socket_never_makes_it_block(line: Line) -> None:
    line.client_socket.setblocking(True)
    line.client_socket.settimeout(60)

    assert line.client_socket.gettimeout() is None
    assert line.client_socket.socket.gettimeout() == 0
