"""Locks the admin's sign-in after too many failed attempts (ADR 24).

django-axes stores the attempts, asks before a password is checked, and answers. This module
counts them. It counts an attempt **before** its password is checked, and deletes the count if the
password was right. So simultaneous requests cannot slip through, over all web processes. And
without the database, all sign-ins fail. A name is counted together with its address. Otherwise
any client could lock out any name.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.helpers import get_client_username
from axes.models import AccessAttempt, AccessFailureLog
from django.conf import settings
from django.db.models import F, Max, Q, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from piston.http.throttling import client_address

MAX_BY_NAME = 20  # failures of a name from one address
MAX_BY_ADDRESS = 30  # failures of all names from one address
LOCK_TIME: timedelta = settings.AXES_COOLOFF_TIME  # since the last failure
MAX_NAME_LENGTH = 255  # characters, in the tables of axes
KEEP_DAYS = 90  # how long the admin shows locks

logger = logging.getLogger(__name__)


class CountFirst(AxesDatabaseHandler):  # type: ignore[misc]  # axes has no types
    """Counts each attempt as a failure until it has succeeded."""

    def is_allowed(self, request: Any, credentials: dict[str, Any] | None = None) -> bool:
        """Count the attempt, and tell whether its password may be checked.

        Each of several simultaneous attempts sees at least those that were counted before it.
        """
        name = name_tried(request, credentials)
        if is_locked(name, request.axes_ip_address):
            return False  # refused attempts neither count nor extend a lock
        attempt = count_attempt(request, name)
        if is_locked(name, request.axes_ip_address, including_this=True):
            AccessAttempt.objects.filter(pk=attempt.pk).update(
                failures_since_start=F("failures_since_start") - 1
            )
            return False
        return True

    def user_login_failed(
        self, sender: Any, credentials: dict[str, Any], request: Any = None, **_: Any
    ) -> None:
        """Record a lock if this failure was the last that was allowed."""
        del sender
        if request is None or request.axes_locked_out:
            return
        name = name_tried(request, credentials)
        if not is_locked(name, request.axes_ip_address):
            return
        AccessFailureLog.objects.create(locked_out=True, **description(request, name))
        logger.warning(
            "The admin's sign-in is locked for %r from %s until %s: too many wrong passwords",
            name,
            request.axes_ip_address,
            f"{timezone.now() + LOCK_TIME:%Y-%m-%d %H:%M:%S} UTC",
        )

    def user_logged_in(self, sender: Any, request: Any, user: Any, **_: Any) -> None:
        """Delete the failures of a user who knows the password."""
        del sender
        if request is not None and hasattr(request, "axes_ip_address"):
            of_name(user.get_username(), request.axes_ip_address).delete()

    def user_logged_out(self, *_: Any, **__: Any) -> None:
        """Do nothing: axes would look for its log of accesses, which we do not keep."""


def name_tried(request: Any, credentials: dict[str, Any] | None) -> str:
    """Return the name, cut to what the database stores: no user has a longer one."""
    return str(get_client_username(request, credentials) or "")[:MAX_NAME_LENGTH]


def of_name(name: str, address: str | None) -> QuerySet[Any]:
    """Return the attempts with a name from an address."""
    attempts: QuerySet[Any] = AccessAttempt.objects.filter(username=name, ip_address=address)
    return attempts


def is_locked(name: str, address: str | None, *, including_this: bool = False) -> bool:
    """Tell whether no attempt is left. `including_this`: this attempt is counted already."""
    recent = AccessAttempt.objects.filter(
        ip_address=address, attempt_time__gt=timezone.now() - LOCK_TIME
    )
    counts = recent.aggregate(
        by_name=Sum("failures_since_start", filter=Q(username=name), default=0),
        by_address=Sum("failures_since_start", default=0),
    )
    own = 1 if including_this else 0
    return bool(
        counts["by_name"] - own >= MAX_BY_NAME or counts["by_address"] - own >= MAX_BY_ADDRESS
    )


def description(request: Any, name: str) -> dict[str, Any]:
    """Return what axes records about a request."""
    return {
        "username": name,
        "ip_address": request.axes_ip_address,
        "user_agent": request.axes_user_agent,
        "http_accept": request.axes_http_accept,
        "path_info": request.axes_path_info,
    }


def count_attempt(request: Any, name: str) -> Any:
    """Count an attempt; delete older ones that no longer count."""
    own = {"username": name, "ip_address": request.axes_ip_address, "user_agent": ""}
    AccessAttempt.objects.filter(**own, attempt_time__lte=timezone.now() - LOCK_TIME).delete()
    fields = {**description(request, name), **own, "get_data": "", "post_data": ""}
    attempt, _ = AccessAttempt.objects.get_or_create(
        **own, defaults={**fields, "failures_since_start": 0}
    )
    AccessAttempt.objects.filter(pk=attempt.pk).update(
        failures_since_start=F("failures_since_start") + 1, attempt_time=timezone.now()
    )
    return attempt


def find_address(request: HttpRequest) -> str | None:
    """Return the client's address, for axes."""
    return client_address(request)


def answer_locked(request: HttpRequest, *_: Any) -> HttpResponse:
    """Answer 429: all sign-ins from this address are locked, and for how long."""
    attempts = AccessAttempt.objects.filter(ip_address=client_address(request))
    last = attempts.aggregate(last=Max("attempt_time"))["last"] or timezone.now()
    wait_seconds = max(1, round((last + LOCK_TIME - timezone.now()).total_seconds()))
    page = TemplateResponse(
        request,
        "admin/locked_sign_in.html",
        {"minutes": -(-wait_seconds // 60)},
        status=429,
        headers={"Retry-After": str(wait_seconds), "Cache-Control": "no-store"},
    )
    return page.render()


def forget_attempts() -> None:
    """Delete attempts that no longer count, and records of locks after KEEP_DAYS."""
    now = timezone.now()
    AccessAttempt.objects.filter(attempt_time__lte=now - LOCK_TIME).delete()
    AccessFailureLog.objects.filter(attempt_time__lte=now - timedelta(days=KEEP_DAYS)).delete()
