"""How does a message get to the broker, or back to it, without anybody waiting for ever?"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager
from typing import Any

from celery import current_app
from celery.exceptions import Reject
from django.db import Error

from piston.database.failures import log_failure
from piston.database.locks import is_locked
from tasks_app.errors import LedgerRefused

logger = logging.getLogger(__name__)

REQUEUE_PAUSE_SECONDS = 1.0  # of a process without a database, before it takes the next message
MAX_WAIT_SECONDS = 1.0  # for the broker; a message that was not sent is sent by the sweeper


class Sender:
    """Sends messages from a thread of its own, so that a frozen broker stops only that thread."""

    def __init__(self) -> None:
        self._thread: ThreadPoolExecutor | None = None  # made when first used: after the fork
        self._stuck: Future[Any] | None = None

    def send(self, name: str, *arguments: Any) -> bool:
        """Send a message; False when the broker refused it or did not answer within a second."""
        if self._stuck is not None and not self._stuck.done():
            return False
        if self._thread is None:
            self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="messages")
        sending = self._thread.submit(publish, name, arguments)
        try:
            sending.result(timeout=MAX_WAIT_SECONDS)
        except FutureTimeout:
            self._stuck = sending
            logger.warning("The broker does not answer; %s%s goes out later", name, arguments)
            return False
        except Exception as error:  # noqa: BLE001 - kombu's brokers raise errors of many libraries
            logger.warning("The broker refused %s%s: %s", name, arguments, error)
            return False
        return True


send = Sender().send


def publish(name: str, arguments: Sequence[Any]) -> None:
    """Give a message to the broker; raises errors of many libraries.

    A connection that was kept from before the broker was restarted fails only when it is used.
    Every process keeps one, and each would lose a message: so there is another try, on a new one.
    """
    try:
        current_app.send_task(name, args=arguments)
    except Exception:  # noqa: BLE001 - see above; the second one's error is told
        current_app.send_task(name, args=arguments)


@contextmanager
def requeued_without_database() -> Iterator[None]:
    """Hand the message in hand back to the broker if there is no database that we can work on.

    A worker that cannot work is always free for the next message: without this, and without the
    rest, it would use up the messages that workers with a database are waiting for. A message that
    met a lock is used up all the same: the sweeper sends it again, and others are done meanwhile.
    """
    try:
        yield
    except (Error, LedgerRefused) as error:
        if is_locked(error):
            logger.warning("A message is left to the sweeper: %s", error)
            return
        log_failure("A message is handed back", error)
        time.sleep(REQUEUE_PAUSE_SECONDS)
        raise Reject(str(error), requeue=True) from None


@contextmanager
def left_to_sweeper() -> Iterator[None]:
    """Leave what a message asked for to the sweeper if there is no database that we can work on.

    For messages that were acknowledged at once: there is nothing to hand back.
    """
    try:
        yield
    except (Error, LedgerRefused) as error:
        log_failure("A message is left to the sweeper", error)
