from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.core import serializers
from django.utils import timezone

from piston.accounts.errors import InvalidCredentials
from piston.accounts.models import ApiKey, Token
from piston.accounts.signing_in import find_token, purge_expired_tokens, sign_in
from tests.factories import AccountFactory, make_api_key, make_token

pytestmark = pytest.mark.django_db

PAST = timezone.now() - timedelta(days=2)


def test_a_key_is_exchanged_for_a_token_of_its_account() -> None:
    account = AccountFactory()
    _, api_key = make_api_key(account)

    _, secret = sign_in(api_key)

    assert find_token(secret).account == account


def test_a_token_lives_as_long_as_is_set() -> None:
    _, api_key = make_api_key(AccountFactory())

    token, _ = sign_in(api_key)

    assert token.expires_at - token.created_at == timedelta(seconds=settings.PISTON_TOKEN_SECONDS)


def test_a_token_never_expires_after_its_key() -> None:
    soon = timezone.now() + timedelta(seconds=30)
    _, api_key = make_api_key(AccountFactory(), expires_at=soon)

    token, _ = sign_in(api_key)

    assert token.expires_at == soon


@pytest.mark.parametrize("hours", [-2, 2])
def test_what_has_expired_is_decided_by_the_databases_clock(
    hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, api_key = make_api_key(AccountFactory(), expires_at=timezone.now() + timedelta(hours=1.5))
    wrong = timezone.now() + timedelta(hours=hours)

    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(timezone, "now", lambda: wrong)
        _, secret = sign_in(api_key)
        on_the_same_machine = find_token(secret)
        purged = purge_expired_tokens()

    assert purged == 0
    assert find_token(secret) == on_the_same_machine


def test_signing_in_notes_when_the_key_was_used() -> None:
    key, api_key = make_api_key(AccountFactory())

    token, _ = sign_in(api_key)

    key.refresh_from_db()
    assert key.last_used_at == token.created_at


@pytest.mark.parametrize("changes", [{"expires_at": PAST}, {"revoked_at": PAST}])
def test_a_key_that_is_over_is_refused(changes: dict[str, Any]) -> None:
    _, api_key = make_api_key(AccountFactory(), **changes)

    with pytest.raises(InvalidCredentials):
        sign_in(api_key)

    assert not Token.objects.exists()


@pytest.mark.parametrize("api_key", ["", "0" * 64, "nonsense", "\0", "\ud800"])
def test_an_unknown_key_is_refused(api_key: str) -> None:
    with pytest.raises(InvalidCredentials):
        sign_in(api_key)


def test_the_stored_hash_opens_nothing() -> None:
    key, _ = make_api_key(AccountFactory())

    with pytest.raises(InvalidCredentials):
        sign_in(key.secret_hash)


def test_a_disabled_account_cannot_sign_in() -> None:
    _, api_key = make_api_key(AccountFactory(is_enabled=False))

    with pytest.raises(InvalidCredentials):
        sign_in(api_key)


@pytest.mark.parametrize(
    "changes", [{"expires_at": PAST, "created_at": PAST - timedelta(1)}, {"revoked_at": PAST}]
)
def test_a_token_that_is_over_is_refused(changes: dict[str, Any]) -> None:
    secret = make_token(AccountFactory(), **changes)

    with pytest.raises(InvalidCredentials):
        find_token(secret)


def test_revoking_a_key_refuses_its_tokens_at_once() -> None:
    secret = make_token(AccountFactory())

    ApiKey.objects.all().revoke()

    with pytest.raises(InvalidCredentials):
        find_token(secret)


def test_disabling_an_account_refuses_its_tokens_at_once() -> None:
    account = AccountFactory()
    secret = make_token(account)

    account.is_enabled = False
    account.save()

    with pytest.raises(InvalidCredentials):
        find_token(secret)


def test_a_usable_token_is_found_in_one_query(django_assert_num_queries: Any) -> None:
    secret = make_token(AccountFactory())

    with django_assert_num_queries(1):
        assert find_token(secret).account.name


def test_neither_keys_nor_tokens_are_stored() -> None:
    account = AccountFactory()
    _, api_key = make_api_key(account)
    token = make_token(account)

    stored = serializers.serialize("json", [*ApiKey.objects.all(), *Token.objects.all()])

    assert api_key not in stored
    assert token not in stored


def test_usable_keys_are_what_signing_in_accepts() -> None:
    account = AccountFactory()
    good, _ = make_api_key(account)
    make_api_key(account, revoked_at=PAST)
    make_api_key(account, expires_at=PAST)

    assert list(ApiKey.objects.usable(timezone.now())) == [good]


def test_usable_tokens_are_what_requests_may_carry() -> None:
    make_token(AccountFactory(is_enabled=False))
    make_token(AccountFactory(), revoked_at=PAST)
    good = find_token(make_token(AccountFactory()))

    assert list(Token.objects.usable(timezone.now())) == [good]


def test_purging_removes_expired_tokens_and_no_others() -> None:
    account = AccountFactory()
    make_token(account, expires_at=PAST, created_at=PAST - timedelta(1))
    good = make_token(account)

    assert purge_expired_tokens() == 1

    assert find_token(good)
