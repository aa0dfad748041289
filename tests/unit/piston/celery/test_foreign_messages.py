"""Is a malformed message refused, without an error of the worker itself?"""

from __future__ import annotations

from typing import Any

import pytest
from celery import current_app
from celery.exceptions import InvalidTaskError
from celery.worker import strategy

from piston.celery import foreign_messages
from tasks_app import tasks


def taking(outcome: Exception | str, monkeypatch: pytest.MonkeyPatch) -> Any:
    def take(*_: object, **__: object) -> str:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(strategy, "default", lambda *_: take)
    return foreign_messages.take_readable("task", "app", "consumer")


@pytest.mark.parametrize(
    "trouble",
    [TypeError("not iterable"), ValueError("not enough values"), KeyError("id"), AttributeError()],
)
def test_what_cannot_be_read_is_refused(
    trouble: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = taking(trouble, monkeypatch)

    with pytest.raises(InvalidTaskError, match="malformed"):
        take("message", None)


def test_other_trouble_is_the_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    take = taking(ConnectionResetError(), monkeypatch)

    with pytest.raises(ConnectionResetError):
        take("message", None)


def test_what_can_be_read_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    take = taking("taken", monkeypatch)

    assert take("message", None) == "taken"


def test_all_messages_are_taken_so() -> None:
    assert (
        current_app.tasks[tasks.sweep.name].Strategy
        == "piston.celery.foreign_messages:take_readable"
    )
