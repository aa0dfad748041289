"""Sets how workers pause before a row is sent again in these tests."""

from __future__ import annotations

import pytest

from tasks_app.execution import external_rows


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make pauses so short that a worker always waits in place."""
    monkeypatch.setattr(external_rows, "MIN_PAUSE_SECONDS", 0.0001)


@pytest.fixture
def long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make pauses so long that no worker waits in place."""
    monkeypatch.setattr(external_rows, "MIN_PAUSE_SECONDS", 30.0)
