"""The errors of accounts; each has one sentence, its docstring."""

from __future__ import annotations

from piston.plurals import plural


class AccountError(Exception):
    """Something about an account is not as it must be."""

    code = "account_error"

    def __init__(self, sentence: str = "") -> None:
        super().__init__(sentence or (type(self).__doc__ or "").strip())


class UnknownAccount(AccountError):
    """There is no such account."""

    code = "unknown_account"

    def __init__(self, account_id: str) -> None:
        super().__init__(f"There is no account {account_id!r}.")
        self.account_id = account_id


class NotPermitted(AccountError):
    """The account of the token may not act here."""

    code = "forbidden"


class InvalidCredentials(AccountError):
    """The API key or token is unknown, expired or revoked."""

    code = "invalid_credentials"


class TooManyTokens(AccountError):
    """The account has as many tokens as it may have; use one for many requests."""

    code = "too_many_tokens"
    limit = "tokens_per_account"

    def __init__(self, value: int, wait_seconds: int) -> None:
        super().__init__(
            f"The account has as many tokens as it may have ({value:,}): use each for many"
            f" requests. The next one expires in {wait_seconds} {plural('second', wait_seconds)}."
        )
        self.value = value
        self.wait_seconds = wait_seconds


class CannotMove(AccountError):
    """An account cannot move there."""

    code = "cannot_move"


class TreeTooDeep(AccountError):
    """The tree of accounts may not get that deep."""

    code = "tree_too_deep"


class UnknownApiKey(AccountError):
    """There is no such API key."""

    code = "unknown_api_key"
