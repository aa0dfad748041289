import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connections
from django.test import Client
from django.utils import timezone

from piston.accounts import signing_in
from piston.accounts.errors import TooManyTokens
from piston.accounts.models import ApiKey, Token
from piston.accounts.signing_in import find_token
from tests.factories import AccountFactory, make_api_key

pytestmark = pytest.mark.django_db
URL = "/v2/api_auth"


def sign_in(client: Client, body: Any, content_type: str = "application/json") -> Any:
    return client.put(URL, body, content_type)


def test_a_key_is_exchanged_for_a_token(client: Client) -> None:
    account = AccountFactory(name="Shop", is_reseller=True)
    _, api_key = make_api_key(account)

    response = sign_in(client, {"data": {"api_key": api_key}})

    assert response.status_code == 201
    body = response.json()
    assert body["status"] == "success"
    assert find_token(body["auth_token"]).account == account
    assert body["data"] == {
        "account_id": account.pk,
        "account_name": "Shop",
        "is_reseller": True,
        "is_superadmin": False,
        "expires_in": settings.PISTON_TOKEN_SECONDS,
    }
    assert response.headers["Cache-Control"] == "no-store"


def test_the_type_that_curl_claims_by_default_is_good(client: Client) -> None:
    _, api_key = make_api_key(AccountFactory())

    response = sign_in(
        client, f'{{"data":{{"api_key":"{api_key}"}}}}', "application/x-www-form-urlencoded"
    )

    assert response.status_code == 201


def test_an_expired_token_sent_along_does_not_matter(client: Client) -> None:
    _, api_key = make_api_key(AccountFactory())

    response = client.put(
        URL, {"data": {"api_key": api_key}}, "application/json", headers={"X-Auth-Token": "old"}
    )

    assert response.status_code == 201
    assert response.json()["auth_token"] != "old"


@pytest.mark.parametrize("api_key", ["nonsense", "0" * 64, "\0", "é", "x" * 10_000])
def test_an_unknown_key_is_refused(api_key: str, client: Client) -> None:
    response = sign_in(client, {"data": {"api_key": api_key}})

    assert response.status_code == 401
    assert response.json()["message"] == "invalid_credentials"
    assert response.json()["data"] == {"message": "invalid credentials"}
    assert not Token.objects.exists()


@pytest.mark.parametrize("column", ["expires_at", "revoked_at"])
def test_a_key_that_is_over_is_refused_in_the_same_words(column: str, client: Client) -> None:
    past = timezone.now() - timedelta(days=1)
    _, api_key = make_api_key(AccountFactory(), **{column: past})

    response = sign_in(client, {"data": {"api_key": api_key}})

    assert response.status_code == 401
    assert response.json()["data"] == {"message": "invalid credentials"}


@pytest.mark.parametrize(
    "body",
    [
        "", "{}", '{"api_key": "x"}', '{"data": null}', '{"data": []}', '{"data": {}}',
        '{"data": {"api_key": null}}', '{"data": {"api_key": 1}}', '{"data": {"api_key": ""}}',
        '{"data": {"api_key": ["x"]}}',
    ],
)  # fmt: skip
def test_the_answer_to_a_body_without_a_key_names_what_is_missing(
    body: str, client: Client
) -> None:
    response = sign_in(client, body)

    assert (response.status_code, response.json()["message"]) == (400, "faulty_request")
    assert "api_key" in response.json()["data"]["reason"]


@pytest.mark.parametrize("body", ["{", "[]", "nonsense"])
def test_a_body_that_is_no_json_object_is_refused(body: str, client: Client) -> None:
    response = sign_in(client, body)

    assert (response.status_code, response.json()["message"]) == (400, "invalid_json")


def test_a_new_token_is_accepted_by_public_endpoints_too(client: Client) -> None:
    _, api_key = make_api_key(AccountFactory())
    token = sign_in(client, {"data": {"api_key": api_key}}).json()["auth_token"]

    response = client.get(URL, headers={"X-Auth-Token": token})

    assert response.status_code == 405


def test_the_answer_to_signing_in_too_often_has_the_time_to_retry(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = {"requests": "1000/minute", "sign_ins": "3/minute"}
    monkeypatch.setattr("piston.http.throttling.api_settings.DEFAULT_THROTTLE_RATES", rates)
    _, api_key = make_api_key(AccountFactory())
    for attempt in ("wrong", api_key, "wrong"):
        assert sign_in(client, {"data": {"api_key": attempt}}).status_code in {201, 401}

    response = sign_in(client, {"data": {"api_key": api_key}})

    assert (response.status_code, response.json()["message"]) == (429, "too_many_requests")
    assert int(response.headers["Retry-After"]) >= 1


def test_an_account_has_no_more_tokens_than_it_may(client: Client, settings: Any) -> None:
    settings.PISTON_MAX_TOKENS_PER_ACCOUNT = 2
    _, api_key = make_api_key(AccountFactory())
    body = {"data": {"api_key": api_key}}
    first, second, refused = (sign_in(client, body) for _ in range(3))

    Token.objects.filter(pk=Token.objects.earliest("pk").pk).update(
        created_at=timezone.now() - timedelta(2), expires_at=timezone.now() - timedelta(1)
    )
    after_one_has_expired = sign_in(client, body)

    assert [first.status_code, second.status_code] == [201, 201]
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= settings.PISTON_TOKEN_SECONDS
    said = refused.json()
    assert (said["message"], said["data"]["limit"]) == ("quota_exceeded", "tokens_per_account")
    assert "use each for many requests" in said["data"]["reason"]
    assert after_one_has_expired.status_code == 201


def test_revoked_tokens_and_those_of_revoked_keys_leave_room(client: Client, settings: Any) -> None:
    settings.PISTON_MAX_TOKENS_PER_ACCOUNT = 1
    account = AccountFactory()
    leaked, leaked_secret = make_api_key(account)
    _, api_key = make_api_key(account)
    sign_in(client, {"data": {"api_key": leaked_secret}})
    body = {"data": {"api_key": api_key}}
    while_full = sign_in(client, body)

    ApiKey.objects.filter(pk=leaked.pk).revoke()
    after_the_key = sign_in(client, body)
    Token.objects.filter(account=account).revoke()
    after_the_token = sign_in(client, body)

    statuses = [each.status_code for each in (while_full, after_the_key, after_the_token)]
    assert statuses == [429, 201, 201]


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_two_keys_of_one_account_do_not_race_past_its_limit(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PISTON_MAX_TOKENS_PER_ACCOUNT = 1
    account = AccountFactory()
    secrets = [make_api_key(account)[1] for _ in range(2)]
    both_have_counted = threading.Barrier(2)
    count = signing_in.refuse_too_many_tokens

    def count_together(*arguments: Any) -> None:
        count(*arguments)
        with suppress(threading.BrokenBarrierError):  # the second one has to wait for the first
            both_have_counted.wait(1)

    def try_to_sign_in(secret: str) -> bool:
        try:
            signing_in.sign_in(secret)
        except TooManyTokens:
            return False
        finally:
            connections.close_all()
        return True

    monkeypatch.setattr(signing_in, "refuse_too_many_tokens", count_together)
    with ThreadPoolExecutor(2) as pool:
        signed_in = list(pool.map(try_to_sign_in, secrets))

    assert sorted(signed_in) == [False, True]
    assert Token.objects.count() == 1
