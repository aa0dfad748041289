"""Sends several external rows at a time, each in a thread with an action object of its own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread

from django.db import connections

from categories.contract import Action, Context, Outcome, Row, RowAction
from categories.running import calls
from categories.running.failure_log import log_row
from categories.running.failures import Unanswered, describe_failure
from categories.running.time_limit import watchdog

WINDOW_GROUPS = 4  # how far rows are sent ahead of one without an outcome, in groups

stuck: list[Thread] = []  # threads of this process whose row was given up; nothing can end them


def window_size(action: type[Action]) -> int:
    """Return how many of a segment's next rows may be in the journal at a time."""
    return 1 if action.concurrency == 1 else WINDOW_GROUPS * action.concurrency


@dataclass(frozen=True)
class Call:
    """A row that is in the journal, and when to send it."""

    row: Row
    number: int
    key: str
    delay: float  # seconds from the start of the group


class Callers:
    """The threads of one worker for one action; they live until `close`.

    A thread keeps its action object, so what that opens (a session, say) serves many rows and is
    used by one thread only.
    """

    def __init__(self, action: type[RowAction], context: Context) -> None:
        self.action = action
        self.context = context
        self.idle: list[Caller] = []

    def call(self, group: Sequence[Call]) -> list[Outcome]:
        """Send the rows at the same time; return their outcomes in order.

        A row that takes too long has no answer. Its thread cannot be ended: it is left alone, and
        the process has to be replaced (`are_stuck`).
        """
        while len(self.idle) < len(group):
            self.idle.append(Caller(self.action(), self.context))
        busy = [self.idle.pop() for _ in group]
        began = time.monotonic()
        limit = self.action.row_seconds
        with watchdog(limit + max(call.delay for call in group)):
            for caller, call in zip(busy, group, strict=True):
                caller.calls.put((call, began + call.delay))
            return [
                self._outcome(caller, began + call.delay + limit)
                for caller, call in zip(busy, group, strict=True)
            ]

    def _outcome(self, caller: Caller, until: float) -> Outcome:
        """Return a caller's outcome, or Unanswered when its time is over."""
        try:
            outcome = caller.outcomes.get(timeout=max(0.0, until - time.monotonic()))
        except Empty:
            caller.calls.put(None)  # ends the thread if its row comes back after all
            stuck.append(caller.thread)
            return Unanswered(f"timed out after {self.action.row_seconds:g} s")
        self.idle.append(caller)
        return outcome

    def close(self) -> None:
        """End the idle threads and wait until their database connections are closed."""
        for caller in self.idle:
            caller.calls.put(None)
        for caller in self.idle:
            caller.thread.join()
        self.idle = []


class Caller:
    """A thread that sends one row after another."""

    def __init__(self, action: RowAction, context: Context) -> None:
        self.action = action
        self.context = context
        self.calls: SimpleQueue[tuple[Call, float] | None] = SimpleQueue()
        self.outcomes: SimpleQueue[Outcome] = SimpleQueue()
        self.thread = Thread(target=self._work, name="caller", daemon=True)
        self.thread.start()

    def _work(self) -> None:
        try:
            while (job := self.calls.get()) is not None:
                call, at = job
                time.sleep(max(0.0, at - time.monotonic()))
                self.outcomes.put(self._send(call))
        finally:
            connections.close_all()  # this thread's own

    def _send(self, call: Call) -> Outcome:
        try:
            return calls.call(self.action, self.context, call.row, call.number, call.key)
        except Exception as error:  # noqa: BLE001 - such as a connection that cannot be closed
            return calls.outcome_of_error(error, self.context, call.number)
        except BaseException as error:  # noqa: BLE001 - such as SystemExit: here it ends nothing
            log_row("A row has no answer", self.context.task_id, call.number, error)
            return Unanswered(describe_failure(error))


def are_stuck() -> bool:
    """Say whether this process has threads that nothing can end, so that it must be replaced."""
    stuck[:] = [thread for thread in stuck if thread.is_alive()]
    return bool(stuck)
