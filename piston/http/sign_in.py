"""The endpoint at which clients sign in."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request

from piston.accounts.signing_in import sign_in
from piston.http.bodies import read_json
from piston.http.envelope import Enveloped
from piston.http.errors import FaultyRequest
from piston.http.throttling import SignInThrottle
from piston.http.views import Endpoint


class SignIn(Endpoint):
    """`/v2/api_auth`: exchanges an API key for a token.

    A token in the request is ignored, since it is the one that has expired.
    """

    authentication_classes = []
    throttle_classes = [SignInThrottle]
    public_methods = frozenset({"PUT"})

    def put(self, request: Request) -> Enveloped:
        """Answer 201 with a new token."""
        token, secret = sign_in(read_api_key(read_json(request)))
        account = token.account
        summary = {
            "account_id": account.pk,
            "account_name": account.name,
            "is_reseller": account.is_reseller,
            "is_superadmin": account.is_superadmin,
            "expires_in": int((token.expires_at - token.created_at).total_seconds()),
        }
        no_store = {"Cache-Control": "no-store"}
        return Enveloped(summary, status=201, auth_token=secret, headers=no_store)


def read_api_key(body: dict[str, Any]) -> str:
    """Return `data.api_key`, or raise FaultyRequest."""
    match body:
        case {"data": {"api_key": str(api_key)}} if api_key:
            return api_key
    raise FaultyRequest('the body has to be {"data": {"api_key": "…"}}')
