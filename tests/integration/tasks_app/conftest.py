"""Fixtures for the tests of tasks_app."""

from collections.abc import Iterator

import pytest

from categories import registry
from tasks_app.files import storage
from tests import plugins
from tests.broker import broker

__all__ = ["broker"]


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prove without a delay that a file is missing."""
    monkeypatch.setattr(storage, "PROOF_SECONDS", 0)


@pytest.fixture(autouse=True)
def trial() -> Iterator[None]:
    """Offer the category of tests/plugins.py."""
    plugins.calls.clear()
    with registry.registered(plugins.Trial):
        yield
