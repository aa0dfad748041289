"""Transports messages through a folder: kombu's `filesystem://`, with atomic writes and a loop.

kombu creates a file and then writes it. A worker that reads in between, or after a power cut or a
full disk, finds a torn message and ends with an error. Here messages only wake workers up, so a
message that cannot be read is dropped, and the sweeper sends another.

Also, kombu's transport has no event loop. Without one, Celery's processes take turns waiting at
one pipe. If one of them is killed there, no other gets a message again. Here each process has its
own pipe, as on RabbitMQ and Redis, and the kernel reports new messages (ADR 17).
"""

from __future__ import annotations

import logging
import os
import time
import uuid
from contextlib import ExitStack, suppress
from pathlib import Path
from queue import Empty
from typing import Any

import inotify_simple  # type: ignore[import-untyped]
from kombu import transport
from kombu.asynchronous import Hub
from kombu.exceptions import ChannelError
from kombu.transport import TRANSPORT_ALIASES, filesystem, virtual
from kombu.transport.base import Implements
from kombu.utils.json import dumps, loads

from piston import disk_reserve
from piston.relied_on import SET_IN_INIT, rely_on

logger = logging.getLogger(__name__)

TORN_SECONDS = 600  # a file this old is no longer being written: that takes milliseconds
POLL_SECONDS = 1.0  # between two polls of the folder, although the kernel reports new messages
POLL_WITHOUT_WATCH_SECONDS = 0.1  # if the kernel does not report them

rely_on(
    __name__,
    filesystem.Channel,
    __init__="self, connection, **kwargs",
    _put="self, queue, payload, **kwargs",
    _get="self, queue",
    _queue_bind="self, exchange, routing_key, pattern, queue",
    get_table="self, exchange",
    _exchange_file="self, exchange",
    data_folder_in=object,
    data_folder_out=object,
    qos=property,
    _consumers=SET_IN_INIT,
)
rely_on(
    __name__,
    filesystem.Transport,
    __init__="self, client, **kwargs",
    register_with_event_loop="self, connection, loop",
    close_connection="self, connection",
    _deliver="self, message, queue",
    Channel=type,
    implements=Implements,
    channels=object,
    cycle=object,
)
rely_on(__name__, virtual.QoS, can_consume="self")
rely_on(
    __name__,
    Hub,
    add_reader="self, fds, callback, *args",
    call_repeatedly="self, delay, callback, *args",
    remove="self, fd",
    on_tick=SET_IN_INIT,
)
rely_on(__name__, transport, TRANSPORT_ALIASES=dict)


class Channel(filesystem.Channel):  # type: ignore[misc]  # kombu has no types
    """A channel whose messages appear in the folder when they are complete."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        disk_reserve.release()
        super().__init__(*arguments, **options)
        self._delete_torn()

    def _delete_torn(self) -> None:
        """Delete the files of processes that were killed while they wrote a message."""
        before = time.time() - TORN_SECONDS
        for torn in Path(self.data_folder_out).glob("*.new"):
            with suppress(OSError):  # another process was faster, or this one lacks the right
                if torn.stat().st_mtime < before:
                    torn.unlink()

    def _put(self, queue: str, payload: Any, **_: Any) -> None:
        """Write a message under another name, then rename it, which is atomic."""
        moment = round(time.monotonic() * 1000)  # workers take the first name in sort order
        disk_reserve.release()
        torn = Path(self.data_folder_out) / f"{moment}_{uuid.uuid4()}.{queue}.new"
        try:
            torn.write_text(dumps(payload))
            torn.replace(torn.with_suffix(".msg"))
        except OSError as error:
            torn.unlink(missing_ok=True)
            disk_reserve.note(error)
            raise ChannelError(f"The message cannot be put into {torn.parent}: {error}") from error

    def _get(self, queue: str) -> Any:
        """Take the next message. Raises Empty.

        If several workers read a message, the one that deletes its file gets it.
        """
        folder = Path(self.data_folder_in)
        names = os.listdir(folder)  # noqa: PTH208 - the fastest; there may be thousands
        for name in sorted(name for name in names if name.endswith(f".{queue}.msg")):
            with suppress(OSError):  # another worker was faster, or this one lacks the rights
                payload = (folder / name).read_bytes()
                (folder / name).unlink()
                try:
                    return loads(payload)
                except ValueError as error:
                    logger.warning("A message of %s was torn and is dropped: %s", queue, error)
        raise Empty


class Transport(filesystem.Transport):  # type: ignore[misc]  # kombu has no types
    """kombu's transport with these channels, for Celery's event loop."""

    Channel = Channel
    implements = filesystem.Transport.implements.extend(asynchronous=True)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.may_have_messages = True  # the folder, as far as we know
        self._leave_loop = ExitStack()

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        """Let the loop deliver messages while the folder has some and the worker wants more."""
        del connection  # it is this transport
        seconds = POLL_SECONDS
        try:
            watch = self._leave_loop.enter_context(inotify_simple.INotify(nonblocking=True))
            folder = self.client.transport_options["data_folder_in"]
            watch.add_watch(folder, inotify_simple.flags.MOVED_TO)
        except (AttributeError, OSError) as error:  # not Linux, or no inotify watch is left
            logger.warning("The folder of messages cannot be watched: %s", error)
            seconds = POLL_WITHOUT_WATCH_SECONDS
        else:
            loop.add_reader(watch.fileno(), self.note_arrival, watch)
            self._leave_loop.callback(loop.remove, watch.fileno())
        self._leave_loop.callback(loop.call_repeatedly(seconds, self.look_again).cancel)
        loop.on_tick.add(self.take)
        self._leave_loop.callback(loop.on_tick.discard, self.take)

    def note_arrival(self, watch: inotify_simple.INotify) -> None:
        """Note that a message has arrived."""
        watch.read(timeout=0)
        self.look_again()

    def look_again(self) -> None:
        """Read the folder at the next tick of the loop."""
        self.may_have_messages = True

    def take(self) -> None:
        """Deliver messages, as many as the worker wants."""
        while self.may_have_messages and any(map(wants_messages, self.channels)):
            try:
                self.cycle.get(self._deliver)
            except Empty:
                self.may_have_messages = False

    def close_connection(self, connection: Any) -> None:
        """Close all channels, and leave the loop."""
        self._leave_loop.close()
        super().close_connection(connection)


def wants_messages(channel: Any) -> bool:
    """Tell whether a channel has a consumer that may take another message."""
    return bool(channel._consumers and channel.qos.can_consume())


def install() -> None:
    """Make this the transport of `filesystem://` URLs in this process."""
    TRANSPORT_ALIASES["filesystem"] = f"{__name__}:{Transport.__name__}"
