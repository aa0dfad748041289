"""Handles messages that we did not send or cannot process yet, so that they end no worker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import celery
from celery.exceptions import InvalidTaskError
from celery.worker import strategy

from piston.celery import queues
from piston.database.schema import schema
from piston.installation.identity import identify
from piston.relied_on import rely_on

rely_on(__name__, celery.Task, Strategy=str)
rely_on(__name__, strategy, default="task, app, consumer, ...")


class Message(celery.Task):  # type: ignore[misc]  # Celery has no types
    """The base of our Celery tasks, which drops malformed messages and waits for the schema."""

    Strategy = f"{__name__}:take_readable"

    def before_start(self, *_: Any) -> None:
        """Wait while the database's schema does not fit this code."""
        schema.wait()

    def on_cancelled(self, message_id: str, process_id: int) -> None:
        """React in the pool's parent to the end of the process that worked on a message."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Run the task, unless the message belongs to another installation."""
        owner = self.request.get(queues.OWNER)
        if owner is None or owner == identify():
            return super().__call__(*arguments, **options)
        return queues.forward(self, str(owner))


def take_readable(*arguments: Any, **options: Any) -> Callable[..., Any]:
    """Return Celery's strategy for messages, made to log and drop a malformed one.

    Celery's own raises into the worker's loop. The worker would end, and the broker would deliver
    the message to the next one. A single malformed message could end all workers.
    """
    take = strategy.default(*arguments, **options)

    def take_or_refuse(*of_message: Any, **more: Any) -> Any:
        try:
            return take(*of_message, **more)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise InvalidTaskError(f"malformed: {error}") from error

    return take_or_refuse
