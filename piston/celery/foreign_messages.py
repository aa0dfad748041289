"""What if a message was not sent by us, or comes too early? It must not end the worker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import celery
from celery.exceptions import InvalidTaskError
from celery.worker import strategy

from piston.celery import queues
from piston.database.schema import schema
from piston.installation.identity import identify


class Message(celery.Task):  # type: ignore[misc]  # Celery has no types
    """What all Celery tasks here are derived from: it refuses what cannot be read, and waits."""

    Strategy = f"{__name__}:take_readable"

    def before_start(self, *_: Any) -> None:
        """Wait, if the database's schema does not fit this code."""
        schema.wait()

    def on_cancelled(self, message_id: str, process_id: int) -> None:
        """Take note, in the pool's parent, that it has ended the process at work on a message."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Do what the message says, unless it says that it is for another installation."""
        owner = self.request.get(queues.OWNER)
        if owner is None or owner == identify():
            return super().__call__(*arguments, **options)
        return queues.give_back(self, str(owner))


def take_readable(*arguments: Any, **options: Any) -> Callable[..., Any]:
    """Return Celery's way of taking a message, which logs and drops a malformed one.

    Celery's own raises into the worker's loop. The worker would end, the broker would hand the
    message to the next one, and so on: one such message could end them all.
    """
    take = strategy.default(*arguments, **options)

    def take_or_refuse(*of_message: Any, **more: Any) -> Any:
        try:
            return take(*of_message, **more)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise InvalidTaskError(f"malformed: {error}") from error

    return take_or_refuse
