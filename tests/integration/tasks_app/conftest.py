"""The fixtures of the tests of the engine."""

from collections.abc import Iterator

import pytest

from categories import registry
from tasks_app.files import storage
from tests import plugins
from tests.broker import broker

__all__ = ["broker"]


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check without a delay whether a missing file is really gone."""
    monkeypatch.setattr(storage, "PROOF_SECONDS", 0)


@pytest.fixture(autouse=True)
def trial() -> Iterator[None]:
    """Offer the category of tests/plugins.py."""
    plugins.calls.clear()
    with registry.registered(plugins.Trial):
        yield
