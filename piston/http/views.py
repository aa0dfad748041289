"""The base class of endpoints: what each does before and after its own work."""

from __future__ import annotations

from typing import Any, cast

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.views import APIView

from piston.accounts.models import Account, Token
from piston.accounts.permissions import find_account
from piston.accounts.signing_in import confirm_token
from piston.http.envelope import Enveloped, EnvelopeRenderer
from piston.http.negotiation import Negotiation
from piston.http.throttling import identify_client
from piston.http.transfers import name_client


class Endpoint(APIView):
    """A view below /v2/. Its methods parse, call one function, and answer.

    Before a method runs, `self.account` is set: the account in the URI (`account_id`), else the
    one of the token. The checks before that, in this order: token 401, throttle 429, method 405,
    account exists 404, permission 403, format 406.
    """

    public_methods: frozenset[str] = frozenset()  # these need no token, and set no account
    page_size: int | None = None  # for views that show it in every answer (stop: 1)
    content_negotiation_class = Negotiation
    account: Account

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Run the checks that come before the method."""
        self.format_kwarg = None
        try:
            self.perform_authentication(request)
        except AuthenticationFailed:
            self.check_throttles(request)  # a guess counts against the address
            raise
        find_tree = self.actor.find_root_id if self.actor else None
        name_client(request.META, identify_client(request), find_tree)
        self.check_throttles(request)
        if request.method not in self.allowed_methods:
            self.http_method_not_allowed(request)
        if request.method not in self.public_methods | {"OPTIONS"}:
            self.account = find_account(self.actor, kwargs.get("account_id"))
        accepted = self.perform_content_negotiation(request)
        request.accepted_renderer, request.accepted_media_type = accepted

    def authorize_again(self) -> None:
        """Check again that the request is permitted: its body may have taken an hour."""
        token = cast("Token", self.request.auth)
        find_account(confirm_token(token), self.kwargs.get("account_id"))

    @property
    def actor(self) -> Account | None:
        """The account of the token; None if the request has no token."""
        return self.request.user  # type: ignore[return-value]

    def options(self, request: Request, *args: Any, **kwargs: Any) -> Enveloped:  # type: ignore[override]
        """List the methods in the Allow header; CORS preflights are answered before this."""
        return Enveloped({})

    def finalize_response(  # type: ignore[override]  # a stream or a 304 is no DRF response
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        """Add the headers of the envelope; answer 304 to a client that has this revision."""
        if isinstance(response, Enveloped):  # even if another format was wanted: an error, say
            request.accepted_renderer = EnvelopeRenderer()
            request.accepted_media_type = EnvelopeRenderer.media_type
        finished = cast("HttpResponse", super().finalize_response(request, response))
        finished.headers.setdefault("Cache-Control", "private, no-cache")
        revision = getattr(finished, "revision", None)
        if revision is None or request.method not in {"GET", "HEAD"}:
            return finished
        finished.headers["ETag"] = etag = f'"{revision}"'
        conditional = get_conditional_response(request._request, etag, None, finished)
        return cast("HttpResponse", conditional)
