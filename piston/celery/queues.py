"""Which queues are this installation's? Their names end with its id: others may share the broker.

People type the names that stand in the settings; what they are called on the broker is found here.
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

OWNER = "installation"  # the header of each message that says whose it is
REST_SECONDS = 1.0  # of a process, before it gives a message back that is not ours


rely_on(
    __name__,
    amqp.AMQP,
    queues=object,
    Queues="self, queues, ...",
    default_exchange=object,
    as_task_v2="self, task_id, name, args=None, kwargs=None, ...",
)


class AMQP(amqp.AMQP):  # type: ignore[misc]  # Celery has no types
    """Celery's part that knows the queues."""

    @cached_property
    def queues(self) -> Any:
        """The queues by the names that people type; the database is asked whose they are."""
        return self.Queues([self.declare(name) for name in names(self.app)])

    @cached_property
    def default_exchange(self) -> Exchange:
        """The broker's own exchange, which leads to each queue by its name.

        Nobody can delete it, or unbind a queue from it. A broker confirms a message that an
        exchange of ours has no queue for, and drops it.
        """
        return Exchange()

    def declare(self, name: str) -> Queue:
        """Return what is declared on the broker for a name that people type."""
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
    """Return the queues that the settings name."""
    routed = [route["queue"] for route in app.conf.task_routes.values()]
    return list(dict.fromkeys([app.conf.task_default_queue, *routed]))


def full_name(name: str, owner: str) -> str:
    """Return what a queue is called on the broker."""
    return f"{name}.{owner}"


def give_back(task: Any, owner: str) -> None:
    """Put a message of another installation into that one's queue.

    Not back to where it was: if nobody else listens there, it would come again for ever. The rest
    is for one that does come again, or it would keep this process busy.
    """
    route = task.app.conf.task_routes.get(task.name, {})
    own = full_name(route.get("queue", task.app.conf.task_default_queue), owner)
    logger.warning("A message of another installation came here and is given back, to %s", own)
    time.sleep(REST_SECONDS)
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
