from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client

from tests.factories import AccountFactory, make_client

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.integration.http.examples")]


@pytest.fixture
def away() -> Any:
    """Make every query fail as a lost connection does."""

    def fail(*_: Any) -> None:
        raise OperationalError("server closed the connection unexpectedly")

    return connection.execute_wrapper(fail)


def assert_unavailable(response: Any) -> None:
    assert response.status_code == 503
    assert response.headers["Content-Type"] == "application/json"
    assert int(response.headers["Retry-After"]) > 0
    body = response.json()
    assert (body["status"], body["error"]) == ("error", "503")
    assert body["message"] == "service_unavailable"
    assert "connection" not in response.content.decode()


def test_signing_in_is_answered_503(away: Any, client: Client) -> None:
    with away:
        response = client.put("/v2/api_auth", {"data": {"api_key": "x"}}, "application/json")

    assert_unavailable(response)


def test_a_request_with_a_token_is_answered_503(away: Any) -> None:
    account = AccountFactory()
    client = make_client(account)

    with away:
        response = client.get(f"/v2/accounts/{account.pk}/things")

    assert_unavailable(response)


def test_a_middleware_that_needs_the_database_is_answered_503(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> Iterator[None]:
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr("django.middleware.common.CommonMiddleware.process_request", fail)

    response = Client(raise_request_exception=False).get("/v2/things")

    assert_unavailable(response)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_download_whose_slot_needs_the_database_is_answered_503(
    monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    def fail(*_: Any) -> None:
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr("piston.http.middleware.take_slot_for_stream", fail)

    response = Client().generic(method, "/v2/things")

    assert response.headers["X-Request-Id"]
    if method == "GET":
        assert_unavailable(response)
    else:
        assert (response.status_code, response.content) == (503, b"")


def test_only_what_cannot_fail_is_outside_of_the_envelope(settings: Any) -> None:
    names = [name.rpartition(".")[2] for name in settings.MIDDLEWARE]

    outside = names[: names.index("EnvelopeMiddleware")]

    assert outside == ["RequestIdMiddleware", "HeadMiddleware"]


def test_who_needs_no_database_is_still_answered(away: Any, client: Client) -> None:
    with away:
        assert client.get("/v2/things").status_code == 200


def test_health_is_ok_while_the_database_answers(client: Client) -> None:
    response = client.get("/healthz")

    assert (response.status_code, response.json()["status"]) == (200, "ok")


def test_health_is_503_while_it_does_not(away: Any, client: Client) -> None:
    with away:
        response = client.get("/healthz")

    assert (response.status_code, response.json()["database"]) == (503, "away")
    assert int(response.headers["Retry-After"]) > 0


def test_health_is_only_looked_at(client: Client) -> None:
    assert client.post("/healthz").status_code == 405
