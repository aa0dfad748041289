"""Authenticates a request by its token, which belongs to an account."""

from __future__ import annotations

from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from piston.accounts.errors import InvalidCredentials
from piston.accounts.models import Account, Token
from piston.accounts.signing_in import find_token


def read_token(request: HttpRequest | Request) -> str | None:
    """Return the token of the request, valid or not; None if it has none."""
    if token := request.headers.get("X-Auth-Token", "").strip():
        return token
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    return credentials.strip() or None if scheme.lower() == "bearer" else None


class TokenAuthentication(BaseAuthentication):
    """X-Auth-Token, or Authorization: Bearer. `user` is an Account, `auth` its Token.

    A token that is sent must be valid, even if the endpoint needs none.
    """

    def authenticate(self, request: Request) -> tuple[Account, Token] | None:
        """Return account and token; None if no token was sent. Raise a 401 for an invalid one."""
        secret = read_token(request)
        if secret is None:
            return None
        try:
            token = find_token(secret)
        except InvalidCredentials as error:
            raise AuthenticationFailed from error
        return token.account, token

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge that a 401 has to carry (RFC 9110 §11.6.1)."""
        return 'Bearer realm="piston"'
