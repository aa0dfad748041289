"""Names this installation's queues on the broker, which other installations may share.

People type the names in the settings. On the broker, each name ends with the installation's id.
"""

from __future__ import annotations

import logging
import time
from functools import cached_property
from typing import Any

from celery.app import amqp
from kombu import Exchange, Queue

from piston.installation.identity import identify
from piston.relied_on import rely_on

logger = logging.getLogger(__name__)

OWNER = "installation"  # the header of each message with the id of its installation
PAUSE_SECONDS = 1.0  # before a process forwards a message of another installation


rely_on(
    __name__,
    amqp.AMQP,
    queues=object,
    Queues="self, queues, ...",
    default_exchange=object,
    as_task_v2="self, task_id, name, args=None, kwargs=None, ...",
)


class AMQP(amqp.AMQP):  # type: ignore[misc]  # Celery has no types
    """Celery's component that knows the queues."""

    @cached_property
    def queues(self) -> Any:
        """The queues by the names that people type; the database has the id that they end with."""
        return self.Queues([self.declare(name) for name in names(self.app)])

    @cached_property
    def default_exchange(self) -> Exchange:
        """The broker's default exchange, which routes to each queue by its name.

        It cannot be deleted, and no queue can be unbound from it. If an exchange of our own had
        no queue for a message, the broker would confirm the message and drop it.
        """
        return Exchange()

    def declare(self, name: str) -> Queue:
        """Return the queue that is declared on the broker for a name that people type."""
        own = full_name(name, identify())
        kind = self.app.conf.task_default_queue_type
        return Queue(
            own,
            exchange=self.default_exchange,
            routing_key=own,
            queue_arguments={"x-queue-type": kind} if kind != "classic" else None,
            alias=name,
        )


def names(app: Any) -> list[str]:
    """Return the names of the queues in the settings."""
    routed = [route["queue"] for route in app.conf.task_routes.values()]
    return list(dict.fromkeys([app.conf.task_default_queue, *routed]))


def full_name(name: str, owner: str) -> str:
    """Return a queue's name on the broker."""
    return f"{name}.{owner}"


def forward(task: Any, owner: str) -> None:
    """Put a message of another installation into that installation's queue.

    It does not go back to its old queue: without another consumer, it would return endlessly. The
    pause is for a message that still returns, which would otherwise keep this process busy.
    """
    route = task.app.conf.task_routes.get(task.name, {})
    own = full_name(route.get("queue", task.app.conf.task_default_queue), owner)
    logger.warning("A message of another installation came here and is given back, to %s", own)
    time.sleep(PAUSE_SECONDS)
    request = task.request
    message = task.app.amqp.as_task_v2(request.id, task.name, request.args, request.kwargs)
    with task.app.producer_or_acquire() as producer:
        producer.publish(
            message.body,
            exchange="",
            routing_key=own,
            headers=message.headers | {OWNER: owner},
            serializer=task.app.conf.task_serializer,
            **message.properties,
        )
