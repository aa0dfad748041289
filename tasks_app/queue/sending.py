"""Sends messages to the broker, or requeues them, without waiting for ever."""

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

REQUEUE_PAUSE_SECONDS = 1.0  # a process without a database waits before its next message
MAX_WAIT_SECONDS = 1.0  # for the broker; the sweeper sends a message that was not sent


class Sender:
    """Sends messages from a thread of its own, so that a frozen broker stops only that thread."""

    def __init__(self) -> None:
        self._thread: ThreadPoolExecutor | None = None  # made at its first use, after the fork
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

    After a restart of the broker, an old connection fails only when it is used. Every process
    keeps one, and each would lose a message. So a second attempt uses a new connection.
    """
    try:
        current_app.send_task(name, args=arguments)
    except Exception:  # noqa: BLE001 - see above; only the second error is raised
        current_app.send_task(name, args=arguments)


@contextmanager
def requeued_without_database() -> Iterator[None]:
    """Requeue the current message if the database is away or refuses our statements.

    A worker that cannot work is always free for the next message. Without the requeueing and the
    pause, it would use up the messages that workers with a database need. A message that met a
    lock is not requeued: the sweeper sends it again, and the worker does others meanwhile.
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
    """Leave the work of a message to the sweeper if the database is away or refuses statements.

    For messages that were acknowledged on arrival, which cannot be requeued.
    """
    try:
        yield
    except (Error, LedgerRefused) as error:
        log_failure("A message is left to the sweeper", error)
