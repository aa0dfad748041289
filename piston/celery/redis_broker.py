"""How does a worker outlive one outage of Redis after the other? It connects again each time.

kombu's channel cannot be closed at once when it is lost with a message in hand while it asks for
more. The worker closes it again, and then the channel asks for the address of a connection that is
gone. The error is none of a connection's, so the worker does not connect again: it ends.

And it only logs when an acknowledgement does not arrive. The message stays in the worker's count of
those in hand; after as many as it may have, the worker waits for ever without taking another.
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
    """kombu's message, which does not keep from the worker that its connection is lost."""

    def ack_log_error(self, _logger: Any, _errors: Any, multiple: bool = False) -> None:
        """Acknowledge; a lost connection ends the worker's loop, which then connects again."""
        self.ack(multiple=multiple)

    def reject_log_error(self, _logger: Any, _errors: Any, requeue: bool = False) -> None:
        """Reject; the same holds."""
        self.reject(requeue=requeue)


class Channel(redis.Channel):  # type: ignore[misc]  # kombu has no types
    """kombu's channel, which says that its connection is closed in words that kombu knows."""

    Message = Message

    def _connparams(self, *arguments: Any, **options: Any) -> Any:
        if self.connection is None or self.connection.client is None:
            raise ConnectionError("The connection to Redis is closed.")
        return super()._connparams(*arguments, **options)


class Transport(redis.Transport):  # type: ignore[misc]  # kombu has no types
    """kombu's transport with these channels."""

    Channel = Channel


def take_over() -> None:
    """Let this be what `redis://` and `rediss://` mean, to Celery and to everybody else here."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:{Transport.__name__}"
