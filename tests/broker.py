"""How do tests deliver messages without a broker? In order, in this process, when told to."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from tasks_app.execution import assembly, worker
from tasks_app.indeterminate import carrying_out
from tasks_app.queue import dispatch, sending


def run_slice(task_id: str, number: int) -> None:
    """Do what the message does, under a message id of its own."""
    if dispatch.receive(task_id, number):
        due = worker.run_slice(task_id, str(uuid.uuid4()))
        if due:
            dispatch.request_assembly(due)  # as after a large output: tests look in between


MESSAGES: dict[str, Callable[..., None]] = {
    dispatch.RUN_SLICE: run_slice,
    dispatch.ASSEMBLE_OUTPUT: assembly.assemble,
    dispatch.SETTLE_ROWS: carrying_out.carry_out,
}


class FakeBroker:
    """Keeps what was sent; delivers, drops or repeats it."""

    def __init__(self) -> None:
        self.queue: list[tuple[str, tuple[Any, ...]]] = []

    def send(self, name: str, *arguments: Any) -> bool:
        """Take a message."""
        self.queue.append((name, arguments))
        return True

    def deliver(self, index: int = 0) -> None:
        """Deliver a message, normally the oldest."""
        name, arguments = self.queue.pop(index)
        MESSAGES[name](*arguments)

    def deliver_all(self, most: int = 500) -> None:
        """Deliver until nothing is left."""
        for _ in range(most):
            if not self.queue:
                return
            self.deliver()
        raise AssertionError(f"{most} messages did not suffice: {self.queue[:5]}")


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> FakeBroker:
    """Put a fake in the broker's place."""
    fake = FakeBroker()
    monkeypatch.setattr(sending, "send", fake.send)
    return fake
