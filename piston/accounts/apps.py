"""Django's configuration of this app."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """The account tree, API keys and tokens."""

    name = "piston.accounts"
    label = "accounts"
    verbose_name = "Accounts"
