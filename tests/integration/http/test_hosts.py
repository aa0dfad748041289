"""Which Host names are accepted, and how are others refused?"""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from tests.unit.piston.test_settings import read_again

LOOPBACK = [
    "localhost", "localhost:8000", "127.0.0.1", "127.0.0.1:8000", "[::1]", "[::1]:8000",
    "LOCALHOST", "piston.localhost:8000",
]  # fmt: skip
OTHERS = [
    "example.com", "localhost.example.com", "127.0.0.1.nip.io", "127.0.0.2", "notlocalhost",
    "[::2]", "localhost:8000@evil.example", "evil.example/localhost", "<b>", "", "0.0.0.0",
]  # fmt: skip


@pytest.fixture
def on_postgresql(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://somebody@127.0.0.1:5432/piston")
    monkeypatch.delenv("ALLOWED_HOSTS", raising=False)


def get(path: str, host: str) -> Any:
    return Client().get(path, HTTP_HOST=host)


@pytest.mark.parametrize("host", LOOPBACK)
def test_on_a_loopback_address_its_names_are_good(
    on_postgresql: None, db: None, settings: Any, host: str
) -> None:
    settings.ALLOWED_HOSTS = read_again().ALLOWED_HOSTS

    assert get("/healthz", host).status_code == 200


@pytest.mark.parametrize("host", OTHERS)
def test_no_other_name_is_good_there(
    on_postgresql: None, db: None, settings: Any, host: str
) -> None:
    settings.ALLOWED_HOSTS = read_again().ALLOWED_HOSTS

    assert get("/healthz", host).status_code == 400


@pytest.mark.parametrize("address", ["0.0.0.0", "192.0.2.1", "::", "example.com"])
def test_on_any_other_address_only_hosts_that_the_operator_named_are_accepted(
    on_postgresql: None, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("PISTON_BIND_ADDRESS", address)
    nothing = read_again().ALLOWED_HOSTS
    monkeypatch.setenv("ALLOWED_HOSTS", "example.com")

    assert (nothing, read_again().ALLOWED_HOSTS) == ([], ["example.com"])


@pytest.mark.parametrize("address", ["127.0.0.2", "::1", "localhost"])
def test_the_loopback_address_that_is_listened_on_is_good(
    on_postgresql: None, db: None, settings: Any, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("PISTON_BIND_ADDRESS", address)
    settings.ALLOWED_HOSTS = read_again().ALLOWED_HOSTS
    host = f"[{address}]:8000" if ":" in address else f"{address}:8000"

    assert get("/healthz", host).status_code == 200


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_request_without_a_host_is_for_the_address_that_it_came_to(
    on_postgresql: None, db: None, settings: Any, address: str
) -> None:
    settings.ALLOWED_HOSTS = read_again().ALLOWED_HOSTS

    assert Client().get("/healthz", SERVER_NAME=address).status_code == 200


def test_a_refused_host_hears_which_variable_to_set(settings: Any) -> None:
    settings.ALLOWED_HOSTS = []

    answer = get("/v2/tasks", "evil.example")

    assert answer.status_code == 400
    body = answer.json()
    assert (body["message"], body["error"]) == ("faulty_request", "400")
    assert "ALLOWED_HOSTS" in body["data"]["reason"]
    assert "evil" not in answer.content.decode()


def test_the_admin_says_so_in_plain_text(settings: Any) -> None:
    settings.ALLOWED_HOSTS = []

    answer = get("/admin/", "<script>alert(1)</script>")

    assert (answer.status_code, answer["Content-Type"]) == (400, "text/plain")
    assert "ALLOWED_HOSTS" in answer.content.decode()
    assert "script" not in answer.content.decode()


def test_the_log_says_so_once(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.ALLOWED_HOSTS = []
    client = Client()
    for number in range(3):
        client.get("/v2/tasks", HTTP_HOST=f"evil{number}.example\n" + "x" * 999)

    assert caplog.text.count("ALLOWED_HOSTS does not have its Host: 'evil0.example\\n") == 1
    assert "evil1" not in caplog.text
