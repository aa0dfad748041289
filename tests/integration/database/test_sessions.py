"""Does a session have our time-outs, in spite of its role's settings and a pooler?"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import InternalError, OperationalError, ProgrammingError, connection
from django.test import Client

from piston.database.postgresql import pooling
from piston.database.postgresql.base import SINCE, DatabaseWrapper, session_name
from tests.servers import PgBouncer, PostgreSQL, started

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgresql]
OURS = {
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": f"{settings.PISTON_CLAIM_SECONDS}s",
    "statement_timeout": "0",
    "TimeZone": "UTC",
}


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    with started(PostgreSQL) as postgresql:
        yield postgresql


@contextmanager
def connected(server: Any) -> Iterator[DatabaseWrapper]:
    """Connect to a server as the product does."""
    place = {"HOST": "127.0.0.1", "PORT": str(server.port), "NAME": "postgres", "PASSWORD": ""}
    options = dict(connection.settings_dict["OPTIONS"])
    made = DatabaseWrapper(
        connection.settings_dict | place | {"USER": "postgres", "OPTIONS": options}, "other"
    )
    try:
        yield made
    finally:
        made.close()


def read(database: Any, *names: str) -> dict[str, str]:
    with database.cursor() as cursor:
        found = {}
        for name in names:
            cursor.execute(f"SHOW {name}")
            found[name] = cursor.fetchone()[0]
    return found


def alter_role(server: PostgreSQL, *what: str) -> None:
    with connected(server) as database, database.cursor() as cursor:
        for each in what:
            cursor.execute(f"ALTER ROLE postgres {each}")


def test_a_session_begins_with_our_time_outs(server: PostgreSQL) -> None:
    with connected(server) as database:
        assert read(database, *OURS) == OURS


def test_the_time_outs_of_a_role_do_not_count(server: PostgreSQL) -> None:
    alter_role(server, *(f"SET {name} = '100ms'" for name in OURS if name != "TimeZone"))
    try:
        with connected(server) as database:
            assert read(database, *OURS) == OURS
    finally:
        alter_role(server, "RESET ALL")


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("DateStyle", "German"),
        ("IntervalStyle", "iso_8601"),
        ("default_transaction_isolation", "serializable"),
    ],
)
def test_nor_do_other_parameters_of_a_role_on_which_we_rely(
    name: str, other: str, server: PostgreSQL
) -> None:
    alter_role(server, f"SET {name} = '{other}'")
    try:
        with connected(server) as database, database.cursor() as cursor:
            cursor.execute("SELECT now(), interval '1 day'")
            moment, day = cursor.fetchone()
            found = read(database, name)
    finally:
        alter_role(server, "RESET ALL")

    assert (moment.utcoffset(), day) == (timedelta(0), timedelta(days=1))
    assert found == {name: connection.settings_dict["OPTIONS"]["session"][name]}


def test_a_session_has_the_name_of_its_thread(server: PostgreSQL) -> None:
    with connected(server) as database:
        assert read(database, "application_name") == {"application_name": session_name()}
    assert len(session_name("x" * 100)) <= 63


def test_a_connection_that_could_not_be_made_ours_is_not_used(
    server: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> bool:
        raise OperationalError("canceled")

    monkeypatch.setattr(pooling, "begin_session", fail)

    with connected(server) as database:
        with pytest.raises(OperationalError):
            database.ensure_connection()
        assert database.connection is None


def test_a_pooler_by_session_passes_our_time_outs_on(server: PostgreSQL) -> None:
    with started(lambda: PgBouncer(server, "session")) as pooler:
        for _ in range(3):
            with connected(pooler) as database:
                assert read(database, *OURS) == OURS
                assert not database.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS")


def test_a_pooler_by_transaction_is_noticed_and_the_role_should_have_the_time_outs(
    server: PostgreSQL, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pooling, "_has_warned", False)
    with started(lambda: PgBouncer(server, "transaction")) as pooler:
        with caplog.at_level(logging.WARNING):
            for _ in range(3):
                with connected(pooler) as database:
                    database.ensure_connection()

        assert database.settings_dict["DISABLE_SERVER_SIDE_CURSORS"]
        assert caplog.text.count("A pooler hands the database's sessions on") == 1
        assert "ALTER ROLE … SET lock_timeout = 5000;" in caplog.text


def test_a_pooler_by_transaction_is_fine_where_the_role_has_the_time_outs(
    server: PostgreSQL, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pooling, "_has_warned", False)
    session = connection.settings_dict["OPTIONS"]["session"]
    with connected(server) as database:
        database.ensure_connection()
        version = database.connection.info.server_version
    known = [name for name in session if version >= SINCE.get(name, 0)]
    alter_role(server, *(f"SET {name} = '{session[name]}'" for name in known))
    try:
        with started(lambda: PgBouncer(server, "transaction")) as pooler:
            for _ in range(3):
                with connected(pooler) as database:
                    database.ensure_connection()

        assert "pooler" not in caplog.text
    finally:
        alter_role(server, "RESET ALL")


def test_a_database_that_takes_no_writes_is_away_not_asked_nonsense(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    try:
        with pytest.raises(OperationalError, match="read-only"), connection.cursor() as cursor:
            cursor.execute("CREATE TABLE x (y int)")
        health = client.get("/healthz")
    finally:
        connection.close()

    assert (health.status_code, health.json()["database"]) == (503, "read-only")


def test_nonsense_stays_nonsense() -> None:
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        with pytest.raises(ProgrammingError):
            cursor.execute("SELECT nothing_that_there_is")
        with pytest.raises(InternalError):
            cursor.execute("SELECT 1")
    connection.close()
