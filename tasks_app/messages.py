"""How does a message get to the broker without anybody waiting for a frozen one?"""

from __future__ import annotations

import logging
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any

from celery import current_app

logger = logging.getLogger(__name__)

LONGEST_WAIT_SECONDS = 1.0  # for the broker; a message that was not sent is sent by the sweeper


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
        sending = self._thread.submit(current_app.send_task, name, args=arguments)
        try:
            sending.result(timeout=LONGEST_WAIT_SECONDS)
        except FutureTimeout:
            self._stuck = sending
            logger.warning("The broker does not answer; %s%s goes out later", name, arguments)
            return False
        except Exception as error:  # noqa: BLE001 - kombu's brokers raise errors of many libraries
            logger.warning("The broker refused %s%s: %s", name, arguments, error)
            return False
        return True


send = Sender().send
