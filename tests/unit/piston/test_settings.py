"""Do the settings keep processes from hanging on a server that disappeared silently?"""

import importlib
import sys
from types import ModuleType

import pytest
from django.core.exceptions import ImproperlyConfigured

from piston import settings
from piston.settings import database


@pytest.mark.parametrize("claim_seconds", [2, 6, 20, 300])
def test_a_silent_database_is_given_up_within_a_claim_and_a_half(
    claim_seconds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "DATABASE_URL", "postgres://somebody@127.0.0.1:5432/piston")
    monkeypatch.setattr(database, "PISTON_CLAIM_SECONDS", claim_seconds)

    options = database.read_database()["OPTIONS"]

    waiting = options["keepalives_idle"] + (
        options["keepalives_count"] * options["keepalives_interval"]
    )
    assert options["tcp_user_timeout"] == claim_seconds * 1000
    assert claim_seconds / 2 < waiting <= max(4, claim_seconds * 1.5)
    assert options["connect_timeout"] <= 5


def test_a_worker_has_no_queue_that_a_lost_connection_keeps_locked() -> None:
    assert not settings.CELERY_WORKER_ENABLE_REMOTE_CONTROL


def test_a_silent_broker_is_given_up_within_half_a_minute() -> None:
    assert 0 < settings.CELERY_BROKER_HEARTBEAT <= 15


def test_a_new_pool_process_has_time_to_start_and_is_replaced_when_it_does_not() -> None:
    assert 10 <= settings.CELERY_WORKER_PROC_ALIVE_TIMEOUT <= 30


def read_again() -> ModuleType:
    """Read the settings as a new process does, and keep those in force."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in sys.modules if name.startswith("piston.settings")]:
            patch.delitem(sys.modules, name)
        return importlib.import_module("piston.settings")


def test_an_installation_with_one_thread_is_refused_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PISTON_WEB_THREADS", "1")

    with pytest.raises(ImproperlyConfigured, match="Set it to 2 or more, or leave it unset"):
        read_again()


def test_two_threads_are_enough_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PISTON_WEB_THREADS", "2")

    assert read_again().PISTON_WEB_TRANSFERS == 1
