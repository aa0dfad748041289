import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.utils import timezone

from piston.accounts.errors import InvalidCredentials
from piston.accounts.models import Account, ApiKey
from piston.accounts.signing_in import find_token, sign_in
from tests.factories import AccountFactory, make_api_key, make_token

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> list[dict[str, Any]]:
    """Run a command; return its lines of JSON, parsed."""
    output = StringIO()
    call_command(*arguments, stdout=output)
    return [json.loads(line) for line in output.getvalue().splitlines()]


def test_create_account_prints_one_line_that_signs_in() -> None:
    [line] = run("create_account", "Shop")

    token, _ = sign_in(line["api_key"])
    assert token.account_id == line["account_id"]
    assert (line["name"], line["parent_id"]) == ("Shop", None)


def test_create_account_below_another_one() -> None:
    parent = AccountFactory()

    [line] = run("create_account", "Shop", "--parent", parent.pk, "--reseller")

    account = Account.objects.get(pk=line["account_id"])
    assert account.is_within(parent)
    assert (account.is_reseller, account.is_superadmin) == (True, False)


def test_create_account_makes_a_superadmin() -> None:
    [line] = run("create_account", "Operator", "--superadmin")

    assert Account.objects.get(pk=line["account_id"]).is_superadmin


@pytest.mark.parametrize(("options", "allowed"), [((), True), (("--no-number-additions",), False)])
def test_create_account_may_forbid_to_create_numbers(
    options: tuple[str, ...], allowed: bool
) -> None:
    [line] = run("create_account", "Shop", *options)

    [listed] = run("list_accounts")
    assert Account.objects.get(pk=line["account_id"]).allows_number_additions is allowed
    assert listed["allows_number_additions"] is allowed


@pytest.mark.parametrize("name", ["", "   ", "x" * 129])
def test_create_account_refuses_a_name_that_is_none(name: str) -> None:
    with pytest.raises(CommandError):
        run("create_account", name)

    assert not Account.objects.exists()


def test_create_account_names_a_parent_that_is_not_there() -> None:
    with pytest.raises(CommandError, match="There is no account 'nowhere'"):
        run("create_account", "Shop", "--parent", "nowhere")


def test_create_api_key_signs_in_and_expires() -> None:
    account = AccountFactory()

    [line] = run("create_api_key", account.pk, "--expires-days", "30")

    token, _ = sign_in(line["api_key"])
    assert token.account == account
    expires_at = ApiKey.objects.get(pk=line["api_key_id"]).expires_at
    assert expires_at is not None
    assert (expires_at - timezone.now()).days == 29


@pytest.mark.parametrize("days", ["0", "-1", "1000000000"])
def test_create_api_key_refuses_a_time_that_is_none(days: str) -> None:
    with pytest.raises(CommandError, match="--expires-days has to be from 1"):
        run("create_api_key", AccountFactory().pk, f"--expires-days={days}")


@pytest.mark.parametrize("name", ["id", "prefix", "secret"])
def test_revoke_api_key_by_any_name(name: str) -> None:
    key, secret = make_api_key(AccountFactory())
    make_api_key(AccountFactory())

    [line] = run(
        "revoke_api_key", {"id": str(key.pk), "prefix": key.prefix, "secret": secret}[name]
    )

    assert line["api_key_id"] == key.pk
    with pytest.raises(InvalidCredentials):
        sign_in(secret)
    assert ApiKey.objects.filter(revoked_at=None).count() == 1


def test_revoke_api_key_says_when_it_was_revoked_before() -> None:
    key, _ = make_api_key(AccountFactory(), revoked_at=timezone.now())

    [line] = run("revoke_api_key", str(key.pk))

    assert line["was_revoked_before"] is True


@pytest.mark.parametrize("name", ["999999", "abcdef01", "nonsense"])
def test_revoke_api_key_refuses_an_unknown_key(name: str) -> None:
    with pytest.raises(CommandError, match="There is no such API key"):
        run("revoke_api_key", name)


def test_revoke_api_key_never_guesses_between_two() -> None:
    key, _ = make_api_key(AccountFactory())
    make_api_key(AccountFactory(), prefix=key.prefix)

    with pytest.raises(CommandError, match="2 API keys begin with"):
        run("revoke_api_key", key.prefix)

    assert not ApiKey.objects.exclude(revoked_at=None).exists()


def test_list_accounts_prints_a_line_for_each_by_name() -> None:
    AccountFactory(name="b", parent=AccountFactory(name="a"))

    assert [line["name"] for line in run("list_accounts")] == ["a", "b"]


def test_list_accounts_below_one_leaves_out_the_others() -> None:
    root = AccountFactory()
    child = AccountFactory(parent=root)
    AccountFactory()

    lines = run("list_accounts", "--below", root.pk)

    assert [line["account_id"] for line in lines] == [child.pk]


def test_move_account_prints_the_new_path() -> None:
    root, child = AccountFactory(name="Root"), AccountFactory(name="Shop")

    [line] = run("move_account", child.pk, "--parent", root.pk)

    assert line["path"] == "Root / Shop"


def test_move_account_to_the_top() -> None:
    child = AccountFactory(parent=AccountFactory())

    run("move_account", child.pk, "--root")

    assert not child.ancestors().exists()


def test_move_account_refuses_a_cycle() -> None:
    root = AccountFactory()
    child = AccountFactory(parent=root)

    with pytest.raises(CommandError, match="cannot move below itself"):
        run("move_account", root.pk, "--parent", child.pk)


def test_moving_away_ends_the_old_parents_access() -> None:
    old, new = AccountFactory(), AccountFactory()
    child = AccountFactory(parent=old)

    run("move_account", child.pk, "--parent", new.pk)

    assert find_token(make_token(child)).account.is_within(new)
    assert not child.is_within(old)


def test_a_database_that_is_away_is_reported_in_one_sentence(monkeypatch: Any) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(Account, "save", fail)

    with pytest.raises(CommandError, match=r"connection refused.*Is it running"):
        run("create_account", "Shop")
