"""The admin pages of accounts, where staff disable, move and revoke, but never delete."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.forms.models import ModelForm
from django.http import HttpRequest
from django.utils import timezone

from piston.accounts.models import Account, ApiKey, Token
from piston.accounts.models.api_key import ApiKeyQuerySet
from piston.accounts.models.token import TokenQuerySet
from piston.relied_on import rely_on


class UndeletableAdmin(admin.ModelAdmin):
    """Rows that other rows refer to: there is neither a button nor an action to delete them."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Permit the action "revoke" to users who may change such rows."""
        name = f"{self.opts.app_label}.change_{self.opts.model_name}"
        return request.user.has_perm(name)


class AccountForm(ModelForm):
    """The form of an account, which refuses an impossible parent with the reason."""

    def clean_parent(self) -> Account | None:
        """Refuse a parent that is the account itself or below it."""
        parent = cast("Account | None", self.cleaned_data["parent"])
        if parent is not None and self.instance.pk and parent.is_within(self.instance):
            raise forms.ValidationError("An account cannot move below itself.")
        return parent


rely_on(__name__, ChangeList, get_results="self, request")


class AccountList(ChangeList):
    """The page of accounts, which loads all their paths in one query."""

    def get_results(self, request: HttpRequest) -> None:
        """Load the page, then the paths of its accounts."""
        super().get_results(request)
        accounts = list(self.result_list)
        paths = Account.objects.paths(accounts)
        for account in accounts:
            account.known_path = paths[account.pk]
        self.result_list = accounts


@admin.register(Account)
class AccountAdmin(UndeletableAdmin):
    """Accounts with their paths in the tree."""

    form = AccountForm
    list_display = ("name", "tree_path", "id", "is_enabled", "is_reseller", "is_superadmin")
    list_filter = ("is_enabled", "is_reseller", "is_superadmin")
    list_per_page = 50
    show_full_result_count = False
    search_fields = ("name", "=id")
    ordering = ("name", "id")
    autocomplete_fields = ("parent",)
    fields = (
        "id", "name", "parent", "tree_path", "is_enabled", "is_reseller", "is_superadmin",
        "allows_number_additions", "created_at",
    )  # fmt: skip
    readonly_fields = ("id", "tree_path", "created_at")

    @admin.display(description="path")
    def tree_path(self, account: Account) -> str:
        """Show the names from the root down."""
        if account._state.adding:
            return "-"
        return str(getattr(account, "known_path", None) or account.path())

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Return the page with paths."""
        return AccountList

    def save_model(
        self, request: HttpRequest, obj: Account, form: ModelForm[Account], change: bool
    ) -> None:
        """Save; a new parent moves everything below the account, too."""
        if change and "parent" in form.changed_data:
            obj.move_to(obj.parent)
        super().save_model(request, obj, form, change)


class IsUsableFilter(admin.SimpleListFilter):
    """A filter for rows that are usable, or for those that are expired or revoked."""

    title = "usable"
    parameter_name = "usable"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the choices."""
        return [("yes", "Yes"), ("no", "No")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the rows of the chosen kind."""
        usable = cast("ApiKeyQuerySet | TokenQuerySet", queryset).usable(timezone.now())
        if self.value() == "yes":
            return usable
        return queryset.exclude(pk__in=usable.values("pk")) if self.value() == "no" else queryset


@admin.register(ApiKey)
class ApiKeyAdmin(UndeletableAdmin):
    """API keys: made, shown once, revoked."""

    list_display = ("prefix", "account", "created_at", "last_used_at", "expires_at", "revoked_at")
    list_filter = (IsUsableFilter,)
    list_select_related = ("account",)
    list_per_page = 50
    show_full_result_count = False
    search_fields = ("prefix", "account__name", "=account__id")
    ordering = ("-created_at", "-id")
    autocomplete_fields = ("account",)
    fields = (
        "account", "expires_at", "prefix", "created_at", "last_used_at", "revoked_at",
    )  # fmt: skip
    readonly_fields = ("prefix", "created_at", "last_used_at", "revoked_at")
    actions = ("revoke",)

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        """Make the account of an existing key read-only."""
        return (*self.readonly_fields, "account") if obj else self.readonly_fields

    def save_model(
        self, request: HttpRequest, obj: ApiKey, form: ModelForm[ApiKey], change: bool
    ) -> None:
        """Save; show a new key in a message, since it is never shown again."""
        secret = None if change else obj.choose_secret()
        super().save_model(request, obj, form, change)
        if secret:
            messages.warning(request, f"The API key, shown only now: {secret}")

    @admin.action(description="Revoke, with the tokens made from them", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: ApiKeyQuerySet) -> None:
        """Revoke the chosen keys, and add a line to the history of each."""
        revoke_and_log(self, request, queryset)


@admin.register(Token)
class TokenAdmin(UndeletableAdmin):
    """Tokens, which staff can only view and revoke."""

    list_display = ("id", "account", "api_key", "created_at", "expires_at", "revoked_at")
    list_filter = (IsUsableFilter,)
    list_select_related = ("account", "api_key")
    list_per_page = 50
    show_full_result_count = False
    search_fields = ("account__name", "=account__id", "=api_key__prefix")
    ordering = ("-id",)
    fields = ("account", "api_key", "created_at", "expires_at", "revoked_at")
    readonly_fields = fields
    actions = ("revoke",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: tokens come from signing in."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Token | None = None) -> bool:
        """Refuse: a token is only revoked."""
        return False

    @admin.action(description="Revoke", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: TokenQuerySet) -> None:
        """Revoke the chosen tokens, and add a line to the history of each."""
        revoke_and_log(self, request, queryset)


def revoke_and_log(
    model_admin: UndeletableAdmin, request: HttpRequest, chosen: ApiKeyQuerySet | TokenQuerySet
) -> None:
    """Revoke the chosen rows, add a line to the history of each, and show their number."""
    for row in chosen.filter(revoked_at=None):
        model_admin.log_change(request, row, "Revoked.")
    revoked_count = chosen.revoke()
    messages.success(request, f"Revoked: {revoked_count}.")
