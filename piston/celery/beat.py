"""A scheduler for beat that goes on sending after every outage of the broker."""

from __future__ import annotations

import logging
from typing import Any

from celery import beat
from django.db import connection

from piston.database.schema import schema
from piston.relied_on import SET_IN_INIT, rely_on

logger = logging.getLogger(__name__)


rely_on(
    __name__,
    beat.Scheduler,
    tick="self, ...",
    apply_entry="self, entry, producer=None",
    apply_async="self, entry, producer=None, advance=True, **kwargs",
    producer=object,
    schedule=property,
    _heap=SET_IN_INIT,
)
rely_on(__name__, beat.ScheduleEntry, default_now="self", last_run_at=object)


class Scheduler(beat.Scheduler):  # type: ignore[misc]  # Celery has no types
    """Celery's scheduler, on connections of the pool, which replaces connections that failed.

    Celery's own keeps one connection for ever, which a restart of RabbitMQ breaks. Since messages
    are sent without retries (`task_publish_retry`), it would never send another one.
    """

    producer = None  # Celery's permanent connection

    def tick(self, *arguments: Any, **options: Any) -> float:
        """Send the messages that are due; return the seconds until the next one.

        After this machine's clock was set back, Celery's own sends nothing until the clock has
        caught up. Here a message that was sent counts as sent just now.
        """
        for entry in self.schedule.values():
            now = entry.default_now()
            if entry.last_run_at > now:
                logger.warning("The clock was set back by %s", entry.last_run_at - now)
                entry.last_run_at = now
                self._heap = None  # Celery rebuilds it from the entries
        seconds: float = super().tick(*arguments, **options)
        return seconds

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """Send a message that is due; if the broker is away, log one line instead of fifty.

        Send nothing while the database's schema does not fit this code.
        """
        fits = schema.fits()
        connection.close()  # leaves the connections to web and workers
        if not fits:
            return
        logger.debug("Sending due task %s (%s)", entry.name, entry.task)
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except beat.SchedulingError as error:
            logger.warning("The broker did not take it, the next one is sent in time: %s", error)
