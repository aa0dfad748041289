"""How does a worker outlive trouble with its broker? It says which, waits and tries again.

Celery's own goes on after a lost connection only, and at once. It ends when a login is refused,
when the broker is read-only or full, when it closes a channel, and for whatever else libraries
raise amid all this.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from celery.worker import consumer
from celery.worker.state import maybe_shutdown
from kombu.common import ignore_errors

from piston.backoff import growing_pauses

logger = logging.getLogger(__name__)

GOOD_SECONDS = 15.0  # that a connection has to last, for the next pause to be a short one again
LOOK_SECONDS = 0.5  # between two looks, during a pause, whether the worker is to stop


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
        """Give the connection up, and what was taken from it."""
        try:
            super().on_connection_error_after_connected(error)
        except Exception:
            logger.exception("The connection to the broker could not be closed in order")
            self.connection = None
        self.note(error)

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
