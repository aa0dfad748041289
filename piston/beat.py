"""How does beat send for a sweep, again and again, whatever becomes of the broker?"""

from __future__ import annotations

import logging
from typing import Any

from celery import beat

logger = logging.getLogger(__name__)


class Scheduler(beat.Scheduler):  # type: ignore[misc]  # Celery has no types
    """Celery's scheduler, on connections of the pool, which replaces those that failed.

    Celery's own keeps one connection for ever: after a restart of RabbitMQ it is dead, and as
    messages are sent without retries (`task_publish_retry`) nothing would ever be sent again.
    """

    producer = None  # that connection

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """Send a message that is due; without the broker that is a line in the log, not fifty."""
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except beat.SchedulingError as error:
            logger.warning("The broker did not take it, the next one is sent in time: %s", error)
