"""Revokes an API key."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.db.models import Q

from piston.accounts.command_line import AccountCommand
from piston.accounts.errors import UnknownApiKey
from piston.accounts.models import ApiKey
from piston.accounts.secrets import PREFIX_LENGTH, hash_secret


class Command(AccountCommand):
    """Revoke an API key, and the tokens that were made from it."""

    help = "Revoke an API key: from then on it and its tokens are refused."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument(
            "key", help=f"its id, its first {PREFIX_LENGTH} characters, or the whole key"
        )

    def run(self, **options: Any) -> None:
        """Find exactly one key and revoke it."""
        key = find_key(options["key"].strip().lower())
        was_usable = ApiKey.objects.filter(pk=key.pk).revoke() > 0
        self.print_json(
            api_key_id=key.pk,
            prefix=key.prefix,
            account_id=key.account_id,
            revoked=True,
            was_revoked_before=not was_usable,
        )


def find_key(text: str) -> ApiKey:
    """Return the key that `text` means: a whole key, an id or a prefix. Raises UnknownApiKey."""
    means = Q(secret_hash=hash_secret(text)) | Q(prefix=text)
    if text.isascii() and text.isdigit() and len(text) < PREFIX_LENGTH:
        means |= Q(pk=int(text))
    keys = list(ApiKey.objects.filter(means))
    if not keys:
        raise UnknownApiKey
    if len(keys) > 1:
        ids = ", ".join(str(key.pk) for key in keys)
        raise CommandError(f"{len(keys)} API keys begin with {text}: name one by its id ({ids}).")
    return keys[0]
