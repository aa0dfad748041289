"""Limits the requests of each client per minute, over a sliding window.

Each client has two counters, for this minute and the last. The last one weighs less the further
this minute has gone. The cache counts atomically, so parallel requests cannot slip through.
Refused requests are not counted, so a client that waits for Retry-After is always allowed.
"""

from __future__ import annotations

import logging
import math
import time
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

from django.core.cache import cache
from django.http import HttpRequest
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import BaseThrottle

if TYPE_CHECKING:  # DRF's views import this module
    from rest_framework.views import APIView

WINDOW_SECONDS = 60

logger = logging.getLogger(__name__)


class MinuteThrottle(BaseThrottle):
    """Allows each client as many requests per minute as the settings have for `scope`."""

    scope: str

    def __init__(self) -> None:
        self.limit = int(str(api_settings.DEFAULT_THROTTLE_RATES[self.scope]).partition("/")[0])
        self.retry_seconds = 0.0

    def identify(self, request: Request) -> str:
        """Return the name under which the client's requests are counted."""
        raise NotImplementedError

    def allow_request(self, request: Request, view: APIView) -> bool:
        """Count this request; while the cache is away, allow and log it."""
        try:
            return self._count(self.identify(request), time.time())
        except RedisError as error:
            logger.warning("Requests are not being throttled, the cache is away: %s", error)
            return True

    def wait(self) -> float:
        """Return the seconds after which a refused request would be allowed."""
        return self.retry_seconds

    def _count(self, client: str, now: float) -> bool:
        minute, elapsed = divmod(now, WINDOW_SECONDS)
        name = f"throttle:{self.scope}:{client}"
        key = f"{name}:{minute:.0f}"
        cache.add(key, 0, timeout=2 * WINDOW_SECONDS)
        current = cache.incr(key)
        previous = cache.get(f"{name}:{minute - 1:.0f}", 0)
        if previous * (1 - elapsed / WINDOW_SECONDS) + current <= self.limit:
            return True
        cache.decr(key)
        self.retry_seconds = math.ceil(self._seconds_until_allowed(previous, current, elapsed))
        return False

    def _seconds_until_allowed(self, previous: int, current: int, elapsed: float) -> float:
        """Solve previous * (1 - share of the minute) + current = limit for the time."""
        if current <= self.limit:  # the last minute's requests exceed the limit
            return WINDOW_SECONDS * (1 - (self.limit - current) / previous) - elapsed
        # this minute's do: they lose weight in the next minute, when they are the previous ones
        return WINDOW_SECONDS - elapsed + WINDOW_SECONDS * (1 - (self.limit - 1) / (current - 1))


def identify_client(request: Request) -> str:
    """Return the account of the token, else the address.

    Behind PISTON_TRUSTED_PROXIES proxies, it is the address that they report.
    """
    return request.user.pk if request.user else client_address(request)  # type: ignore[return-value]


def client_address(request: Request | HttpRequest) -> str:
    """Return the client's address; for IPv6 its network (/64), which one client may own.

    Behind PISTON_TRUSTED_PROXIES proxies it is the address that they report. If that is not an
    address, the request counts as the proxy's.
    """
    for reported in (BaseThrottle().get_ident(request), request.META.get("REMOTE_ADDR")):  # type: ignore[arg-type]
        try:
            address = ip_address(str(reported).partition("%")[0])
        except ValueError:
            continue
        if isinstance(address, IPv6Address):
            mapped = address.ipv4_mapped
            return str(mapped or ip_network((address, 64), strict=False).network_address)
        return str(address)
    return "0.0.0.0"  # noqa: S104 - a client on a Unix socket of this machine has no address


class RequestThrottle(MinuteThrottle):
    """Allows PISTON_REQUESTS_PER_MINUTE per account, or per address without a token."""

    scope = "requests"

    def identify(self, request: Request) -> str:
        """Return the account of the token, else the address."""
        return identify_client(request)


class SignInThrottle(MinuteThrottle):
    """Allows PISTON_SIGN_INS_PER_MINUTE per address, counting successes and failures."""

    scope = "sign_ins"

    def identify(self, request: Request) -> str:
        """Return the address."""
        return client_address(request)
