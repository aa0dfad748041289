"""Are messages written to a folder atomically, and is a torn one dropped?"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from queue import Empty
from typing import Any

import inotify_simple
import kombu
import pytest
from kombu.asynchronous import Hub

from piston.celery import folder_broker

QUEUE = "piston.slices"
MESSAGE = {"body": "é", "properties": {"delivery_tag": "1"}}
NEVER_SECONDS = 3600.0


class Came(Exception):
    """A message was delivered. This ends the loop, which would wait for the next one."""


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Any]:
    folder_broker.install()
    options = {
        "data_folder_in": str(tmp_path),
        "data_folder_out": str(tmp_path),
        "control_folder": str(tmp_path / "control"),
    }
    with kombu.Connection("filesystem://", transport_options=options) as connection:
        yield connection


@pytest.fixture
def channel(connection: Any) -> Any:
    return connection.channel()


@pytest.fixture
def hub() -> Iterator[Hub]:
    hub = Hub()
    yield hub
    hub.close()


def listen(connection: Any, hub: Hub) -> Any:
    """Consume from the queue in a loop; a message raises Came there."""

    def come(message: Any) -> None:
        raise Came(message.body)

    channel = connection.channel()
    channel.basic_consume(QUEUE, no_ack=False, callback=come, consumer_tag="tag")
    connection.transport.register_with_event_loop(connection.connection, hub)
    return hub.create_loop()


def send(channel: Any, body: str) -> None:
    channel.basic_publish(channel.prepare_message(body), exchange="", routing_key=QUEUE)


def test_what_was_put_is_got_once(channel: Any) -> None:
    channel._put(QUEUE, MESSAGE)

    assert channel._get(QUEUE) == MESSAGE
    with pytest.raises(Empty):
        channel._get(QUEUE)


def test_a_message_shows_only_when_it_is_written(
    channel: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def look_first(source: Path, target: Path) -> None:
        seen.append((channel._size(QUEUE), source.read_text()))
        source.rename(target)

    monkeypatch.setattr(Path, "replace", look_first)
    channel._put(QUEUE, MESSAGE)

    assert seen[0][0] == 0
    assert seen[0][1].endswith("}")
    assert channel._size(QUEUE) == 1


@pytest.mark.parametrize("torn", [b"", b"{", b'{"body": "\xc3'])
def test_a_torn_message_is_dropped_for_the_next_one(
    torn: bytes, channel: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / f"0_torn.{QUEUE}.msg").write_bytes(torn)
    channel._put(QUEUE, MESSAGE)

    assert channel._get(QUEUE) == MESSAGE
    assert "torn" in caplog.text
    assert channel._size(QUEUE) == 0


def test_what_cannot_be_written_leaves_nothing_behind(
    channel: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(Path, "replace", full)

    with pytest.raises(kombu.exceptions.ChannelError, match="No space left"):
        channel._put(QUEUE, MESSAGE)

    assert [path for path in tmp_path.iterdir() if path.is_file()] == []


def test_files_of_killed_processes_are_deleted_but_not_those_being_written(
    channel: Any, tmp_path: Path
) -> None:
    left, under_way, message = (
        tmp_path / name for name in ("1_a.q.new", "2_b.q.new", f"3_c.{QUEUE}.msg")
    )
    long_ago = time.time() - 2 * folder_broker.TORN_SECONDS
    for file in (left, under_way, message):
        file.write_text("{")
    for file in (left, message):
        os.utime(file, (long_ago, long_ago))

    channel.connection.client.channel()

    assert not left.exists()
    assert under_way.exists()
    assert message.exists()


def test_each_message_is_taken_by_one_of_two_workers(channel: Any, connection: Any) -> None:
    with connection.clone() as other_connection:
        taken: dict[Any, list[str]] = {channel: [], other_connection.channel(): []}
        for number in range(200):
            channel._put(QUEUE, str(number))

        def take_all(worker: Any) -> None:
            try:
                while True:
                    taken[worker].append(worker._get(QUEUE))
            except Empty:
                return

        threads = [threading.Thread(target=take_all, args=(worker,)) for worker in taken]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    numbers = [int(number) for of_worker in taken.values() for number in of_worker]
    assert sorted(numbers) == list(range(200))


def test_a_message_that_another_worker_has_just_taken_is_left_to_it(
    channel: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def was_deleted(*_: object) -> None:
        raise FileNotFoundError

    channel._put(QUEUE, MESSAGE)
    monkeypatch.setattr(Path, "unlink", was_deleted)

    with pytest.raises(Empty):
        channel._get(QUEUE)


def test_the_kernel_wakes_a_loop_that_waits(
    channel: Any, connection: Any, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_broker, "POLL_SECONDS", NEVER_SECONDS)
    loop = listen(connection, hub)
    connection.transport.take()  # looks, and finds nothing
    send(channel, "hello")

    next(loop)

    with pytest.raises(Came, match="hello"):
        next(loop)


def test_without_the_kernel_a_timer_looks(
    channel: Any, connection: Any, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(**_: object) -> None:
        raise OSError("Too many open files")

    monkeypatch.setattr(inotify_simple, "INotify", none_left)
    loop = listen(connection, hub)
    connection.transport.take()
    send(channel, "hello")

    with pytest.raises(Came, match="hello"):
        deque(islice(loop, 1_000), maxlen=0)


def test_a_worker_takes_no_more_than_it_may_have_at_one_time(
    channel: Any, connection: Any, hub: Hub
) -> None:
    came = []
    consuming = connection.channel()
    consuming.basic_qos(prefetch_count=2)
    consuming.basic_consume(QUEUE, no_ack=False, callback=came.append, consumer_tag="tag")
    connection.transport.register_with_event_loop(connection.connection, hub)
    for number in range(3):
        send(channel, str(number))

    connection.transport.take()
    assert len(came) == 2
    came[0].ack()
    connection.transport.take()

    assert sorted(message.body for message in came) == [b"0", b"1", b"2"]


def test_a_closed_connection_leaves_the_loop(connection: Any, hub: Hub) -> None:
    listen(connection, hub)
    assert (len(hub.on_tick), len(hub.readers)) == (1, 1)

    connection.close()

    assert (len(hub.on_tick), len(hub.readers)) == (0, 0)
    assert all(entry.entry.canceled for entry in hub.timer.queue)
