"""Sets how workers pause before a row is sent again in these tests."""

from __future__ import annotations

import pytest

from tasks_app.execution import external


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a worker wait in place for every attempt, and not for long."""
    monkeypatch.setattr(external, "MIN_PAUSE_SECONDS", 0.0001)


@pytest.fixture
def long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no worker wait in place."""
    monkeypatch.setattr(external, "MIN_PAUSE_SECONDS", 30.0)
