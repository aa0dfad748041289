"""The models of accounts, one per file."""

from piston.accounts.models.account import Account
from piston.accounts.models.account_link import AccountLink
from piston.accounts.models.api_key import ApiKey
from piston.accounts.models.token import Token

__all__ = ["Account", "AccountLink", "ApiKey", "Token"]
