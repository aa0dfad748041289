"""How does a worker outlive trouble with its broker? It says which, waits and tries again.

Celery's own goes on after a lost connection only, and at once. It ends when a login is refused,
when the broker is read-only or full, when it closes a channel, and for whatever else libraries
raise amid all this.
"""

from __future__ import annotations

import logging
import time
from typing import Any
from weakref import WeakSet

from celery.worker import consumer, state
from celery.worker.request import Request
from celery.worker.state import active_requests, maybe_shutdown
from kombu.common import ignore_errors

from piston.backoff import growing_pauses
from piston.relied_on import SET_IN_INIT, rely_on

logger = logging.getLogger(__name__)

GOOD_SECONDS = 15.0  # that a connection has to last, for the next pause to be a short one again
LOOK_SECONDS = 0.5  # between two looks, during a pause, whether the worker is to stop


rely_on(
    __name__,
    consumer.Consumer,
    __init__="self, on_task_request, ...",
    on_connection_error_before_connected="self, exc",
    on_connection_error_after_connected="self, exc",
    connect="self",
    connection_for_read="self, heartbeat=None",
    cancel_active_requests="self",
    pool=object,
    conninfo=SET_IN_INIT,
    channel_errors=SET_IN_INIT,
    hub=SET_IN_INIT,
    amqheartbeat=SET_IN_INIT,
)
rely_on(
    __name__,
    Request,
    cancel="self, pool, signal=None, emit_retry=True",
    acknowledged=bool,
    worker_pid=object,
    _already_cancelled=bool,
)
rely_on(__name__, state, maybe_shutdown="", active_requests=WeakSet)


class Consumer(consumer.Consumer):  # type: ignore[misc]  # Celery has no types
    """Celery's consumer, for which any error is one after which the broker is tried again."""

    class Blueprint(consumer.Consumer.Blueprint):  # type: ignore[misc]  # Celery has no types
        """Celery's steps but one: it makes 28 queues for delayed messages, and nobody sends any."""

        default_steps = tuple(
            step for step in consumer.Consumer.Blueprint.default_steps if "delayed" not in step
        )

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._expected = (*self.conninfo.connection_errors, *self.conninfo.channel_errors)
        self.channel_errors = (Exception,)  # those count, too: broker_channel_error_retry
        self._pauses = growing_pauses()
        self._rest_seconds = 0.0
        self._connected_at: float | None = None

    def on_connection_error_before_connected(self, error: Exception) -> None:
        """Note why there is no connection."""
        self.note(error)

    def on_connection_error_after_connected(self, error: Exception) -> None:
        """Give the connection up, and end what is at work on messages that came by it.

        Celery does that, too, but it asks the database first, which may be away as well.
        """
        for request in tuple(active_requests):
            if request.task.acks_late and not request.acknowledged:
                logger.warning(
                    "The broker is lost, so its message is another's: ending %s", request
                )
                try:
                    request.cancel(self.pool, emit_retry=False)
                except Exception:
                    logger.exception("The process at work on %s could not be ended", request)
                tell(request)
        try:
            super().on_connection_error_after_connected(error)
        except Exception:
            logger.exception("The connection to the broker could not be closed in order")
            self.connection = None
        self.note(error)

    def cancel_active_requests(self) -> None:
        """End what lasts too long at a stop."""
        active = tuple(active_requests)
        super().cancel_active_requests()
        for request in active:
            tell(request)

    def note(self, error: Exception) -> None:
        """Say which trouble it is, and choose the pause after it."""
        connected_at, self._connected_at = self._connected_at, None
        if connected_at is not None and time.monotonic() - connected_at > GOOD_SECONDS:
            self._pauses = growing_pauses()
        self._rest_seconds = next(self._pauses)
        logger.warning(
            "There is trouble with the broker, trying again in %.0f s: %s: %s",
            self._rest_seconds,
            type(error).__name__,
            error,
            exc_info=None if isinstance(error, self._expected) else error,
        )

    def connect(self) -> Any:
        """Connect, after the pause that is due; a connection that is no use is closed again."""
        self.rest()
        connection = self.connection_for_read(heartbeat=self.amqheartbeat)
        try:
            if self.hub:
                connection.transport.register_with_event_loop(connection.connection, self.hub)
        except Exception:
            ignore_errors(self, connection.close)
            raise
        self._connected_at = time.monotonic()
        return connection

    def rest(self) -> None:
        """Wait for as long as the last trouble demands; raises when the worker is to stop."""
        until = time.monotonic() + self._rest_seconds
        self._rest_seconds = 0.0
        while time.monotonic() < until:
            maybe_shutdown()
            time.sleep(LOOK_SECONDS)


def tell(request: Any) -> None:
    """Tell the task of a request that was cancelled; Celery does not, where messages come again."""
    if request._already_cancelled:
        request.task.on_cancelled(request.id, request.worker_pid)
