import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from piston.accounts.errors import InvalidCredentials
from piston.accounts.models import Account, ApiKey, Token
from piston.accounts.signing_in import find_token, sign_in
from tests.factories import AccountFactory, make_api_key, make_token

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("model", ["account", "apikey", "token"])
def test_the_lists_show_rows_and_can_be_searched(model: str, admin_client: Client) -> None:
    make_token(AccountFactory(name="Shop <b>", parent=AccountFactory(name="Root")))

    page = admin_client.get(f"/admin/accounts/{model}/?q=Shop").content.decode()

    assert "Shop &lt;b&gt;" in page
    assert "Shop <b>" not in page


def test_accounts_are_listed_with_their_paths(admin_client: Client) -> None:
    AccountFactory(name="Shop", parent=AccountFactory(name="Root"))

    assert "Root / Shop" in admin_client.get("/admin/accounts/account/").content.decode()


def test_staff_may_forbid_an_account_to_create_numbers(admin_client: Client) -> None:
    account = AccountFactory(name="Shop")
    assert account.allows_number_additions

    admin_client.post(
        f"/admin/accounts/account/{account.pk}/change/", {"name": "Shop", "is_enabled": "on"}
    )

    account.refresh_from_db()
    assert not account.allows_number_additions


def test_a_list_of_many_accounts_takes_no_more_queries(
    admin_client: Client, django_assert_max_num_queries: Any
) -> None:
    root = AccountFactory()
    Account.objects.bulk_create([Account(name=f"Shop {n}", parent=root) for n in range(40)])

    with django_assert_max_num_queries(8):
        admin_client.get("/admin/accounts/account/")


@pytest.mark.parametrize("model", ["account", "apikey", "token"])
def test_nothing_can_be_deleted(model: str, admin_client: Client) -> None:
    make_token(AccountFactory())
    row = {"account": Account, "apikey": ApiKey, "token": Token}[model].objects.get()

    assert admin_client.post(f"/admin/accounts/{model}/{row.pk}/delete/").status_code == 403
    assert "delete_selected" not in admin_client.get(f"/admin/accounts/{model}/").content.decode()


def test_an_account_is_made_with_its_links(admin_client: Client) -> None:
    root = AccountFactory()

    admin_client.post(
        "/admin/accounts/account/add/", {"name": "Shop", "parent": root.pk, "is_enabled": "on"}
    )

    assert root.descendants().get().name == "Shop"


def test_a_new_parent_moves_everything_below(admin_client: Client) -> None:
    account, root = AccountFactory(), AccountFactory()
    child = AccountFactory(parent=account)

    admin_client.post(
        f"/admin/accounts/account/{account.pk}/change/",
        {"name": "Renamed", "parent": root.pk, "is_enabled": "on"},
    )

    assert child.is_within(root)
    assert Account.objects.get(pk=account.pk).name == "Renamed"


def test_a_parent_below_is_refused_with_its_reason(admin_client: Client) -> None:
    account = AccountFactory()
    child = AccountFactory(parent=account)

    page = admin_client.post(
        f"/admin/accounts/account/{account.pk}/change/",
        {"name": account.name, "parent": child.pk, "is_enabled": "on"},
    )

    assert "An account cannot move below itself." in page.content.decode()
    assert Account.objects.get(pk=account.pk).parent is None


def test_a_new_api_key_is_shown_once_and_works(admin_client: Client) -> None:
    account = AccountFactory()

    page = admin_client.post("/admin/accounts/apikey/add/", {"account": account.pk}, follow=True)

    [secret] = re.findall(r"\b[0-9a-f]{64}\b", page.content.decode())
    assert sign_in(secret)[0].account == account
    key = ApiKey.objects.get()
    for path in ("/admin/accounts/apikey/", f"/admin/accounts/apikey/{key.pk}/change/"):
        assert secret not in admin_client.get(path).content.decode()


def test_keys_are_revoked_with_their_tokens(admin_client: Client) -> None:
    account = AccountFactory()
    key, secret = make_api_key(account)
    _, token = sign_in(secret)

    admin_client.post("/admin/accounts/apikey/", {"action": "revoke", "_selected_action": [key.pk]})

    for refused in (lambda: sign_in(secret), lambda: find_token(token)):
        with pytest.raises(InvalidCredentials):
            refused()


def test_tokens_are_revoked(admin_client: Client) -> None:
    secret = make_token(AccountFactory())
    token = Token.objects.get()

    admin_client.post(
        "/admin/accounts/token/", {"action": "revoke", "_selected_action": [token.pk]}
    )

    with pytest.raises(InvalidCredentials):
        find_token(secret)


@pytest.mark.parametrize(("usable", "shown"), [("yes", "kept"), ("no", "gone")])
def test_keys_are_filtered_by_whether_they_are_usable(
    usable: str, shown: str, admin_client: Client
) -> None:
    kept, _ = make_api_key(AccountFactory())
    gone, _ = make_api_key(AccountFactory())
    ApiKey.objects.filter(pk=gone.pk).revoke()

    page = admin_client.get(f"/admin/accounts/apikey/?usable={usable}").content.decode()

    prefixes = {"kept": kept.prefix, "gone": gone.prefix}
    assert prefixes[shown] in page
    assert prefixes["gone" if shown == "kept" else "kept"] not in page


def test_who_may_only_look_cannot_revoke(client: Client) -> None:
    make_token(AccountFactory())
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client.force_login(viewer)

    for model in (ApiKey, Token):
        client.post(
            f"/admin/accounts/{model._meta.model_name}/",
            {"action": "revoke", "_selected_action": [model.objects.get().pk]},
        )

    assert not ApiKey.objects.exclude(revoked_at=None).exists()
    assert not Token.objects.exclude(revoked_at=None).exists()
