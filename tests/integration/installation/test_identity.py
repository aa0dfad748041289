"""Does each installation have one id, and do processes that need it wait for the database?"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Thread
from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError, OperationalError, ProgrammingError, connection

from piston.installation import identity
from piston.installation.models import Installation

AT_ONCE = 8


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Let the process read the id from the database again, before and after a test."""
    forget = identity.identify.cache_clear
    forget()
    yield
    forget()


@pytest.mark.django_db
def test_the_id_is_made_once_and_stays() -> None:
    first = identity.identify()
    identity.identify.cache_clear()

    assert identity.identify() == first
    assert len(first) == 16
    assert Installation.objects.get().key == first


@pytest.mark.django_db
def test_two_installations_have_two_ids() -> None:
    first = identity.identify()
    identity.identify.cache_clear()
    Installation.objects.all().delete()

    assert identity.identify() != first


@pytest.mark.django_db(transaction=True)
def test_simultaneous_first_calls_get_the_same_id() -> None:
    Installation.objects.all().delete()
    together = Barrier(AT_ONCE)

    def ask(_: int) -> str:
        together.wait()
        return identity.identify.__wrapped__()

    with ThreadPoolExecutor(AT_ONCE) as threads:
        keys = set(threads.map(ask, range(AT_ONCE)))

    assert keys == {Installation.objects.get().key}


@pytest.mark.django_db
def test_there_is_one_row() -> None:
    with pytest.raises(IntegrityError):
        Installation.objects.create(pk=2)


@pytest.mark.django_db(transaction=True)
def test_a_thread_without_a_connection_has_none_afterwards() -> None:
    left: list[Any] = []

    def ask() -> None:
        identity.identify()
        left.append(connection.connection)

    thread = Thread(target=ask)
    thread.start()
    thread.join()

    assert left == [None]


@pytest.mark.parametrize("trouble", [OperationalError("refused"), ProgrammingError("no table")])
def test_a_worker_waits_for_its_database_and_says_so(
    trouble: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rests: list[float] = []
    monkeypatch.setattr("piston.installation.identity.time.sleep", rests.append)

    def answer_the_fourth() -> str:
        if len(rests) < 3:
            raise trouble
        return "known"

    monkeypatch.setattr(identity, "identify", answer_the_fourth)

    identity.wait_until_known()

    assert rests == [1, 2, 4]
    assert str(trouble) in caplog.text


@pytest.mark.django_db
def test_a_copy_gets_an_id_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    before = identity.identify()

    call_command("renew_installation")

    identity.identify.cache_clear()
    assert identity.identify() == capsys.readouterr().out.strip() != before
