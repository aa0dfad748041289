import logging
from typing import Any

import pytest
from django.test import Client

from piston.accounts.models import Account
from tests.factories import AccountFactory, make_client, make_token

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.integration.http.examples")]
ABSENT = "0" * 32
METHODS = ["get", "put", "patch", "delete", "post", "options", "head"]


def ask(client: Client, method: str, path: str, **options: Any) -> Any:
    return getattr(client, method)(path, **options)


def assert_error(response: Any, status: int, message: str, data: Any = None) -> None:
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/json"
    body = response.json()
    assert (body["status"], body["error"], body["message"]) == ("error", str(status), message)
    assert body["data"] == ({"message": message.replace("_", " ")} if data is None else data)
    assert body["request_id"] == response.headers["X-Request-Id"]
    assert "revision" not in body


def test_a_success_in_its_envelope(client: Client) -> None:
    response = client.get("/v2/things", headers={"X-Request-Id": "abc"})

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["X-Request-Id"] == "abc"
    body = response.json()
    assert body["data"] == [{"id": "a"}]
    assert (body["status"], body["page_size"], body["next_start_key"]) == ("success", 1, "b")
    assert body["request_id"] == "abc"
    assert response.headers["ETag"] == f'"{body["revision"]}"'
    assert "auth_token" not in body


def test_the_token_comes_back_when_it_was_sent() -> None:
    secret = make_token(AccountFactory())

    body = Client(headers={"Authorization": f"Bearer {secret}"}).get("/v2/things").json()

    assert body["auth_token"] == secret


@pytest.mark.parametrize("method", ["get", "put"])
def test_a_bad_token_is_refused_even_where_none_is_needed(method: str, client: Client) -> None:
    response = ask(client, method, "/v2/things", headers={"X-Auth-Token": "0" * 64})

    assert_error(response, 401, "invalid_credentials")
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="piston"'


def test_no_token_is_refused_where_one_is_needed(client: Client) -> None:
    assert_error(client.get(f"/v2/accounts/{ABSENT}/things"), 401, "invalid_credentials")


def test_an_account_that_does_not_exist_is_named() -> None:
    response = make_client(AccountFactory()).get(f"/v2/accounts/{ABSENT}/things")

    assert_error(response, 404, "bad identifier", [ABSENT])


@pytest.mark.parametrize(
    "account_id", ["x", "%00", "%ff", "a" * 5_000, "%F0%9F%92%A9", "%0A", "'--"]
)
def test_what_is_no_account_id_does_no_harm(account_id: str) -> None:
    response = make_client(AccountFactory()).get(f"/v2/accounts/{account_id}/things")

    assert response.status_code == 404
    assert response.json()["error"] == "404"


def relatives() -> dict[str, Account]:
    root = AccountFactory()
    actor = AccountFactory(parent=root)
    return {
        "itself": actor,
        "child": AccountFactory(parent=actor),
        "parent": root,
        "sibling": AccountFactory(parent=root),
        "stranger": AccountFactory(),
    }


@pytest.mark.parametrize("target", ["itself", "child"])
def test_an_account_sees_itself_and_what_is_below(target: str) -> None:
    family = relatives()

    response = make_client(family["itself"]).get(f"/v2/accounts/{family[target].pk}/things")

    assert response.json()["data"] == {
        "account_id": family[target].pk,
        "actor_id": family["itself"].pk,
    }


@pytest.mark.parametrize("target", ["parent", "sibling", "stranger"])
def test_an_account_never_sees_another(target: str) -> None:
    family = relatives()

    response = make_client(family["itself"]).get(f"/v2/accounts/{family[target].pk}/things")

    assert_error(response, 403, "forbidden")


def test_a_superadmin_sees_every_account() -> None:
    admin, other = AccountFactory(is_superadmin=True), AccountFactory()

    response = make_client(admin).get(f"/v2/accounts/{other.pk}/things")

    assert response.json()["data"]["account_id"] == other.pk


def test_without_an_account_in_the_uri_only_a_superadmin_may() -> None:
    assert_error(make_client(AccountFactory()).put("/v2/things"), 403, "forbidden")


def test_without_an_account_in_the_uri_the_tokens_account_is_meant() -> None:
    admin = AccountFactory(is_superadmin=True)

    response = make_client(admin).put("/v2/things", {"a": "é"}, content_type="application/json")

    assert response.status_code == 201
    assert response.json()["data"] == {"account_id": admin.pk, "a": "é"}


def test_json_that_is_none_is_refused_with_the_place() -> None:
    admin = make_client(AccountFactory(is_superadmin=True))

    response = admin.put("/v2/things", "{", content_type="application/json")

    assert response.status_code == 400
    assert response.json()["message"] == "invalid_json"
    assert "line 1 column 2" in response.json()["data"]["reason"]


@pytest.mark.parametrize("method", ["post", "patch", "delete"])
def test_a_wrong_method_is_refused_and_told_the_right_ones(method: str) -> None:
    response = ask(make_client(AccountFactory()), method, "/v2/things")

    assert_error(response, 405, "method_not_allowed")
    assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "PUT"}


def test_options_needs_no_token_and_names_the_methods(client: Client) -> None:
    response = client.options(f"/v2/accounts/{ABSENT}/things")

    assert response.status_code == 200
    assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


def test_head_is_a_get_without_its_body() -> None:
    account = AccountFactory()

    response = make_client(account).head(f"/v2/accounts/{account.pk}/things")

    assert response.status_code == 200
    assert response.content == b""
    assert response.headers["ETag"] == '"7"'


def test_who_has_this_revision_gets_304(client: Client) -> None:
    etag = client.get("/v2/things").headers["ETag"]

    response = client.get(
        "/v2/things", headers={"If-None-Match": etag, "Origin": "https://shop.example"}
    )

    assert response.status_code == 304
    assert response.content == b""
    assert response.headers["ETag"] == etag
    assert response.headers["X-Request-Id"]
    assert response.headers["Access-Control-Allow-Origin"] == "*"


def test_who_has_another_revision_gets_this_one(client: Client) -> None:
    response = client.get("/v2/things", headers={"If-None-Match": '"other"'})

    assert response.status_code == 200


def test_answers_are_not_kept_by_shared_caches(client: Client) -> None:
    assert client.get("/v2/things").headers["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize("accept", ["*/*", "text/html", "application/json", "image/png"])
def test_clients_that_do_not_exclude_json_get_it(accept: str, client: Client) -> None:
    response = client.get("/v2/things", headers={"Accept": accept})

    assert response.headers["Content-Type"] == "application/json"
    assert response.status_code == 200


def test_who_excludes_json_is_refused_in_json(client: Client) -> None:
    response = client.get("/v2/things", headers={"Accept": "application/json;q=0"})

    assert_error(response, 406, "not_acceptable")


def test_an_endpoint_may_offer_csv() -> None:
    account = AccountFactory()

    response = make_client(account).get(
        f"/v2/accounts/{account.pk}/things", headers={"Accept": "text/csv"}
    )

    assert response.headers["Content-Type"] == "text/csv"


def test_errors_are_json_even_for_clients_that_want_csv(client: Client) -> None:
    response = client.get(f"/v2/accounts/{ABSENT}/things", headers={"Accept": "text/csv"})

    assert_error(response, 401, "invalid_credentials")


def test_an_error_after_csv_was_chosen_is_json_too() -> None:
    account = AccountFactory()

    response = make_client(account).patch(
        f"/v2/accounts/{account.pk}/failing", headers={"Accept": "text/csv"}
    )

    assert response.headers["Content-Type"] == "application/json"
    assert response.json()["message"] == "bad_identifier"


def test_an_error_may_show_a_page_size() -> None:
    account = AccountFactory()

    response = make_client(account).patch(f"/v2/accounts/{account.pk}/failing")

    data = {"cause": "x", "message": "bad identifier", "reason": "task is not running"}
    assert_error(response, 404, "bad_identifier", data)
    assert response.json()["page_size"] == 1


def test_a_fault_of_ours_is_logged_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    account = AccountFactory()

    response = make_client(account).get(
        f"/v2/accounts/{account.pk}/failing", headers={"X-Request-Id": "find-me"}
    )

    assert_error(response, 500, "internal_error")
    assert "Traceback" not in response.content.decode()
    [record] = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert "find-me" in record.getMessage()
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


@pytest.mark.parametrize("method", ["delete", "put"])
def test_an_answer_that_cannot_be_encoded_is_a_fault_of_ours(
    method: str, caplog: pytest.LogCaptureFixture
) -> None:
    account = AccountFactory()

    response = ask(make_client(account), method, f"/v2/accounts/{account.pk}/failing")

    assert_error(response, 500, "internal_error")
    assert caplog.records


@pytest.mark.parametrize("debug", [True, False])
def test_a_plain_view_that_fails_shows_no_page(debug: bool, client: Client, settings: Any) -> None:
    settings.DEBUG = debug

    assert_error(client.get("/v2/plain"), 500, "internal_error")


def test_pages_elsewhere_are_no_envelopes() -> None:
    response = Client(raise_request_exception=False).get("/plain")

    assert response.status_code == 500
    assert response.headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("path", ["/v2/nothing", "/v2/", "/v2", "/v1/accounts", "/v2/things/"])
def test_a_route_that_does_not_exist(
    path: str, method: str, debug: bool, client: Client, settings: Any
) -> None:
    settings.DEBUG = debug

    response = ask(client, method, path)

    if method == "head":
        assert response.status_code == 404
    else:
        assert_error(response, 404, "not_found")


@pytest.mark.parametrize("path", ["/admin/nothing", "/nothing", "/static/nothing", "/healthz"])
def test_every_other_page_carries_a_request_id_too(path: str, client: Client) -> None:
    assert client.get(path, headers={"X-Request-Id": "abc"}).headers["X-Request-Id"] == "abc"


@pytest.mark.parametrize("path", ["/v2/things", "/v2/nothing", "/v2/api_auth"])
def test_a_preflight_is_answered_on_every_route(path: str, client: Client) -> None:
    headers = {
        "Origin": "https://shop.example",
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "x-auth-token",
    }

    response = client.options(path, headers=headers)

    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "PATCH" in response.headers["Access-Control-Allow-Methods"]
    assert "x-auth-token" in response.headers["Access-Control-Allow-Headers"]
    assert response.headers["X-Request-Id"]


@pytest.mark.parametrize(
    "name", ["cache-control", "if-match", "if-none-match", "if-range", "range"]
)
def test_browsers_may_go_on_with_a_download(name: str, client: Client) -> None:
    headers = {
        "Origin": "https://shop.example",
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": name,
    }

    response = client.options("/v2/things", headers=headers)

    assert name in response.headers["Access-Control-Allow-Headers"].split(", ")


@pytest.mark.parametrize("name", ["accept-ranges", "allow", "content-range", "etag"])
def test_browsers_may_read_these_headers(name: str, client: Client) -> None:
    response = client.get("/v2/things", headers={"Origin": "https://shop.example"})

    assert name in response.headers["Access-Control-Expose-Headers"].split(", ")


def test_browsers_may_read_errors_too(client: Client) -> None:
    response = client.get(
        f"/v2/accounts/{ABSENT}/things", headers={"Origin": "https://shop.example"}
    )

    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "retry-after" in response.headers["Access-Control-Expose-Headers"]


@pytest.mark.parametrize(
    ("origin", "allowed"), [("https://shop.example", True), ("https://evil.example", False)]
)
def test_origins_can_be_limited(origin: str, allowed: bool, client: Client, settings: Any) -> None:
    settings.CORS_ALLOW_ALL_ORIGINS = False
    settings.CORS_ALLOWED_ORIGINS = ["https://shop.example"]

    response = client.get("/v2/things", headers={"Origin": origin})

    assert ("Access-Control-Allow-Origin" in response.headers) is allowed


def test_the_own_account_costs_one_query(django_assert_num_queries: Any) -> None:
    account = AccountFactory()
    client = make_client(account)

    with django_assert_num_queries(1):
        client.get(f"/v2/accounts/{account.pk}/things")


def test_an_account_below_costs_two_queries(django_assert_num_queries: Any) -> None:
    account = AccountFactory()
    child = AccountFactory(parent=account)
    client = make_client(account)

    with django_assert_num_queries(2):
        client.get(f"/v2/accounts/{child.pk}/things")


@pytest.fixture
def five_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = {"requests": "5/minute", "sign_ins": "5/minute"}
    monkeypatch.setattr("piston.http.throttling.api_settings.DEFAULT_THROTTLE_RATES", rates)


def test_too_many_requests_are_told_when_to_come_back(five_a_minute: None, client: Client) -> None:
    for _ in range(5):
        assert client.get("/v2/things").status_code == 200

    response = client.get("/v2/things")

    assert_error(response, 429, "too_many_requests")
    assert 1 <= int(response.headers["Retry-After"]) <= 120


def test_guessing_tokens_counts_against_the_address(five_a_minute: None, client: Client) -> None:
    for _ in range(5):
        client.get("/v2/things", headers={"X-Auth-Token": "guess"})

    response = client.get("/v2/things", headers={"X-Auth-Token": "guess"})

    assert_error(response, 429, "too_many_requests")
