"""Do `/healthz` and `/readyz` agree, and name the remedy?"""

from __future__ import annotations

from typing import Any

import pytest
from django.db import InterfaceError, OperationalError, connection
from django.test import Client

from piston import disk_reserve
from piston.http import readiness

pytestmark = pytest.mark.django_db


def ask(client: Client, *, error: Exception | None = None) -> tuple[int, Any, int, Any]:
    """Return both answers while each statement raises this error."""

    def fail(execute: Any, *arguments: Any) -> Any:
        if error:
            raise error
        return execute(*arguments)

    with connection.execute_wrapper(fail):
        health, ready = client.get("/healthz"), client.get("/readyz")
    return (
        health.status_code,
        health.json()["database"],
        ready.status_code,
        ready.json().get("reasons"),
    )


@pytest.mark.parametrize("error", [OperationalError("refused"), InterfaceError("closed")])
def test_a_database_that_is_away(error: Exception, client: Client) -> None:
    assert ask(client, error=error) == (503, "away", 503, [readiness.AWAY])


@pytest.mark.parametrize("error", [None, OperationalError("disk I/O error")])
def test_a_disk_without_a_reserve(
    error: Exception | None, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_reserve, "is_exhausted", lambda: True)

    assert ask(client, error=error) == (503, "full", 503, [readiness.FULL])


def test_a_database_that_takes_no_writes(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "find_read_only", lambda: True)

    assert ask(client) == (503, "read-only", 503, [readiness.READ_ONLY])


def test_both_are_well(client: Client) -> None:
    assert ask(client) == (200, "ok", 200, None)
