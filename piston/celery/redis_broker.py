"""Reconnects to Redis after every outage, where kombu's own channel gives up.

kombu's channel cannot be closed in one step if its connection is lost while it has a message in
hand and waits for more. The worker closes it again, and the channel asks for the address of the
lost connection. This error is not a connection error, so the worker ends instead of reconnecting.

Also, kombu only logs that an acknowledgement failed. The message still counts as in hand. After
as many of these as the worker may have in hand, it waits for ever without taking another one.
"""

from __future__ import annotations

from typing import Any

from kombu import transport
from kombu.transport import TRANSPORT_ALIASES, redis, virtual

from piston.relied_on import SET_IN_INIT, rely_on

rely_on(
    __name__,
    virtual.Message,
    ack="self, multiple=False",
    reject="self, requeue=False",
    ack_log_error="self, logger, errors, multiple=False",
    reject_log_error="self, logger, errors, requeue=False",
)
rely_on(
    __name__,
    redis.Channel,
    _connparams="self, asynchronous=False",
    Message=type,
    connection=SET_IN_INIT,
)
rely_on(__name__, redis.Transport, Channel=type)
rely_on(__name__, transport, TRANSPORT_ALIASES=dict)


class Message(virtual.Message):  # type: ignore[misc]  # kombu has no types
    """kombu's message, which tells the worker that its connection is lost."""

    def ack_log_error(self, _logger: Any, _errors: Any, multiple: bool = False) -> None:
        """Acknowledge; a lost connection ends the worker's loop, which then reconnects."""
        self.ack(multiple=multiple)

    def reject_log_error(self, _logger: Any, _errors: Any, requeue: bool = False) -> None:
        """Reject; a lost connection has the same effect."""
        self.reject(requeue=requeue)


class Channel(redis.Channel):  # type: ignore[misc]  # kombu has no types
    """kombu's channel, which reports a closed connection with an error that kombu handles."""

    Message = Message

    def _connparams(self, *arguments: Any, **options: Any) -> Any:
        if self.connection is None or self.connection.client is None:
            raise ConnectionError("The connection to Redis is closed.")
        return super()._connparams(*arguments, **options)


class Transport(redis.Transport):  # type: ignore[misc]  # kombu has no types
    """kombu's transport with these channels."""

    Channel = Channel


def install() -> None:
    """Make this the transport of `redis://` and `rediss://` URLs in this process."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:{Transport.__name__}"
