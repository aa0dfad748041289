"""Keeps a worker alive through all trouble with its broker: it logs the error, waits and retries.

Celery's own consumer goes on only after a lost connection, and without a pause. It ends when the
broker refuses a login, is read-only or full, or closes a channel. It also ends on any other error
that a library raises meanwhile.
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

from piston.backoff import backoff_seconds
from piston.relied_on import SET_IN_INIT, rely_on

logger = logging.getLogger(__name__)

GOOD_SECONDS = 15.0  # after a connection that lasted this long, the next pause is short again
CHECK_SECONDS = 0.5  # between two checks, during a pause, whether the worker is to stop


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
    """Celery's consumer, which retries the broker after any error."""

    class Blueprint(consumer.Consumer.Blueprint):  # type: ignore[misc]  # Celery has no types
        """Celery's steps, without its 28 queues for delayed messages: we send none."""

        default_steps = tuple(
            step for step in consumer.Consumer.Blueprint.default_steps if "delayed" not in step
        )

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._expected = (*self.conninfo.connection_errors, *self.conninfo.channel_errors)
        self.channel_errors = (Exception,)  # Celery retries these: broker_channel_error_retry
        self._pauses = backoff_seconds()
        self._pause_seconds = 0.0
        self._connected_at: float | None = None

    def on_connection_error_before_connected(self, error: Exception) -> None:
        """Log why there is no connection."""
        self.note(error)

    def on_connection_error_after_connected(self, error: Exception) -> None:
        """Drop the connection, and end the processes that work on its messages.

        Celery does so, too, but it queries the database first, which may be away as well.
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
        """End the messages that take too long when the worker stops."""
        active = tuple(active_requests)
        super().cancel_active_requests()
        for request in active:
            tell(request)

    def note(self, error: Exception) -> None:
        """Log the error, and choose the pause after it."""
        connected_at, self._connected_at = self._connected_at, None
        if connected_at is not None and time.monotonic() - connected_at > GOOD_SECONDS:
            self._pauses = backoff_seconds()
        self._pause_seconds = next(self._pauses)
        logger.warning(
            "There is trouble with the broker, trying again in %.0f s: %s: %s",
            self._pause_seconds,
            type(error).__name__,
            error,
            exc_info=None if isinstance(error, self._expected) else error,
        )

    def connect(self) -> Any:
        """Connect after the pause that is due; close a connection that cannot be used."""
        self.pause()
        connection = self.connection_for_read(heartbeat=self.amqheartbeat)
        try:
            if self.hub:
                connection.transport.register_with_event_loop(connection.connection, self.hub)
        except Exception:
            ignore_errors(self, connection.close)
            raise
        self._connected_at = time.monotonic()
        return connection

    def pause(self) -> None:
        """Wait for the pause after the last error; raise if the worker is to stop."""
        until = time.monotonic() + self._pause_seconds
        self._pause_seconds = 0.0
        while time.monotonic() < until:
            maybe_shutdown()
            time.sleep(CHECK_SECONDS)


def tell(request: Any) -> None:
    """Tell the task of a cancelled request, which Celery omits if the message is redelivered."""
    if request._already_cancelled:
        request.task.on_cancelled(request.id, request.worker_pid)
