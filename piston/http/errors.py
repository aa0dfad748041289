"""The table of answers to errors, for every exception that reaches an endpoint.

Other apps add their own errors with `answer_with`. An entry for a class covers its subclasses. An
error that is not in the table is a fault of ours: a 500 without a trace, and a trace in the log.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import Error as DatabaseError
from django.http import Http404, UnreadablePostError
from rest_framework import exceptions
from rest_framework.views import set_rollback

from piston import disk_reserve
from piston.accounts.errors import (
    InvalidCredentials,
    NotPermitted,
    TooManyTokens,
    UnknownAccount,
)
from piston.database import database_errors, table_faults
from piston.database.failures import log_failure
from piston.database.schema import SchemaDiffers
from piston.http.envelope import Enveloped
from piston.http.transfers import ClientGone, NoFreeSlot, ServerStopping
from piston.plurals import plural

logger = logging.getLogger(__name__)

RETRY_SECONDS = 5  # how long clients are told to wait while the database or storage is away

E = TypeVar("E", bound=Exception)


class ApiError(Exception):
    """An error that has its answer: an HTTP status, `message` and `data`."""

    def __init__(
        self,
        status: int,
        message: str,
        data: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.data = {"message": message.replace("_", " ")} if data is None else data
        self.headers = headers or {}


class InvalidRequest(ApiError):
    """500 `invalid request`, the specification's answer to invalid input."""

    def __init__(self, data: Any = None) -> None:
        super().__init__(500, "invalid request", data)


class FaultyRequest(ApiError):
    """400 `faulty_request`, with the reason, for faults that the specification does not name."""

    def __init__(self, reason: str, *, message: str = "faulty_request") -> None:
        data = {"message": message.replace("_", " "), "reason": reason}
        super().__init__(400, message, data)


class NotFound(ApiError):
    """404 `bad identifier`, with the identifiers in a list."""

    def __init__(self, *identifiers: str) -> None:
        super().__init__(404, "bad identifier", list(identifiers))


class BadIdentifier(ApiError):
    """404 `bad_identifier`, with the identifier as the cause, and an optional reason."""

    def __init__(self, identifier: str, reason: str | None = None) -> None:
        data = {"cause": identifier, "message": "bad identifier", "reason": reason}
        super().__init__(404, "bad_identifier", data)


class LengthRequired(ApiError):
    """411 `length_required`: a body of unknown length that this server cannot delimit."""

    def __init__(self) -> None:
        super().__init__(411, "length_required")


class RequestTooLarge(ApiError):
    """413 `request_too_large`, with the limit in bytes."""

    def __init__(self, limit_bytes: int) -> None:
        reason = f"the body may have {limit_bytes} {plural('byte', limit_bytes)}"
        super().__init__(
            413, "request_too_large", {"message": "request too large", "reason": reason}
        )


class RequestTimeout(ApiError):
    """408 `request_timeout`: the client sends too slowly; the reason has the minimum rate."""

    def __init__(self, reason: str) -> None:
        super().__init__(408, "request_timeout", {"message": "request timeout", "reason": reason})


class ServiceUnavailable(ApiError):
    """503 `service_unavailable`: the database or the storage is away; retry later."""

    def __init__(self) -> None:
        super().__init__(503, "service_unavailable", headers={"Retry-After": str(RETRY_SECONDS)})


class InsufficientStorage(ApiError):
    """507 `insufficient_storage`: the disk is full; the reason says what to do about it."""

    def __init__(self, reason: str) -> None:
        data = {"message": "insufficient storage", "reason": reason}
        headers = {"Retry-After": str(RETRY_SECONDS)}
        super().__init__(507, "insufficient_storage", data, headers=headers)


class Overloaded(ApiError):
    """503 `service_unavailable`: the server is busy; the time to retry is random."""

    def __init__(self) -> None:
        wait_seconds = random.randint(1, RETRY_SECONDS)  # noqa: S311 - spreads clients
        super().__init__(503, "service_unavailable", headers={"Retry-After": str(wait_seconds)})


class QuotaExceeded(ApiError):
    """429, or 413 for bytes: the account has reached a limit; which one, and what to do."""

    def __init__(
        self, status: int, reason: str, *, limit: str, value: int, wait_seconds: int
    ) -> None:
        data = {"message": "quota exceeded", "reason": reason, "limit": limit, "value": value}
        headers = {"Retry-After": str(wait_seconds)}
        super().__init__(status, "quota_exceeded", data, headers=headers)


class InternalError(ApiError):
    """500 `internal_error`: a fault of ours; the log has the trace under the request id."""

    def __init__(self) -> None:
        super().__init__(500, "internal_error")


_ANSWERS: dict[type[Exception], Callable[[Any], ApiError]] = {}


def answer_with(error: type[E], answer: Callable[[E], ApiError]) -> None:
    """Answer `error` and its subclasses with what `answer` returns."""
    _ANSWERS[error] = answer


def find_answer(error: Exception) -> ApiError:
    """Return the answer to `error`: by its class, else by its nearest ancestor in the table."""
    if isinstance(error, ApiError):
        return error
    for ancestor in type(error).__mro__:
        if ancestor in _ANSWERS:
            return _ANSWERS[ancestor](error)
    return InternalError()


def to_response(error: Exception, context: Mapping[str, Any]) -> Enveloped:
    """Answer an exception that a view raised; this is DRF's exception handler."""
    set_rollback()
    answer = find_answer(error)
    log_fault(error, answer, context["request"])
    page_size = getattr(context.get("view"), "page_size", None)
    return respond(answer, page_size=page_size)


def respond(answer: ApiError, *, page_size: int | None = None) -> Enveloped:
    """Return `answer` as a response."""
    return Enveloped(
        answer.data,
        status=answer.status,
        message=answer.message,
        page_size=page_size,
        headers=answer.headers,
    )


def log_fault(error: Exception, answer: ApiError, request: Any) -> None:
    """Log what an operator needs to know: our own faults with their trace, and what is away."""
    request_id = getattr(request, "request_id", "-")
    if isinstance(answer, InternalError):
        logger.error(
            "%s %s failed, request id %s", request.method, request.path, request_id, exc_info=error
        )
    elif isinstance(answer, ServiceUnavailable | InsufficientStorage):
        log_failure(f"{answer.message}, request id {request_id}", error)


def answer_database_error(error: Exception) -> ApiError:
    """Answer a database error: 507 if the disk is full, 503 if it may pass, else 500.

    It may pass if the database is away or locked, or not migrated. It does not if our query is
    wrong.
    """
    if disk_reserve.is_full(error):
        return InsufficientStorage(disk_reserve.REASON)
    is_passing = database_errors.is_away(error) or database_errors.is_missing(error)
    if is_passing or table_faults.find_fault(error):
        return ServiceUnavailable()
    return InternalError()


def _answer_throttled(error: exceptions.Throttled) -> ApiError:
    wait_seconds = getattr(error, "wait", None) or 1
    headers = {"Retry-After": str(wait_seconds)}
    return ApiError(429, "too_many_requests", headers=headers)


def _answer_too_many_tokens(error: TooManyTokens) -> ApiError:
    return QuotaExceeded(
        429,
        str(error),
        limit=error.limit,
        value=error.value,
        wait_seconds=max(1, error.wait_seconds),
    )


def _answer_no_free_slot(error: NoFreeSlot) -> ApiError:
    if not error.is_own_fault:
        return Overloaded()
    reason = "too many of your uploads and downloads are going on at the same time"
    return ApiError(
        429,
        "too_many_requests",
        {"message": "too many requests", "reason": reason},
        headers=Overloaded().headers,
    )


def _answer_unauthenticated(error: Exception) -> ApiError:
    return ApiError(
        401, "invalid_credentials", headers={"WWW-Authenticate": 'Bearer realm="piston"'}
    )


answer_with(InvalidCredentials, _answer_unauthenticated)
answer_with(exceptions.AuthenticationFailed, _answer_unauthenticated)
answer_with(exceptions.NotAuthenticated, _answer_unauthenticated)
answer_with(TooManyTokens, _answer_too_many_tokens)
answer_with(UnknownAccount, lambda error: NotFound(error.account_id))
answer_with(NoFreeSlot, _answer_no_free_slot)
answer_with(ClientGone, lambda error: FaultyRequest(str(error)))  # for the log
answer_with(ServerStopping, lambda _: Overloaded())
answer_with(NotPermitted, lambda _: ApiError(403, "forbidden"))
answer_with(exceptions.PermissionDenied, lambda _: ApiError(403, "forbidden"))
answer_with(PermissionDenied, lambda _: ApiError(403, "forbidden"))
answer_with(Http404, lambda _: ApiError(404, "not_found"))
answer_with(exceptions.NotFound, lambda _: ApiError(404, "not_found"))
answer_with(exceptions.MethodNotAllowed, lambda _: ApiError(405, "method_not_allowed"))
answer_with(exceptions.NotAcceptable, lambda _: ApiError(406, "not_acceptable"))
answer_with(exceptions.UnsupportedMediaType, lambda _: ApiError(415, "unsupported_media_type"))
answer_with(exceptions.Throttled, _answer_throttled)
answer_with(exceptions.APIException, lambda error: ApiError(error.status_code, "faulty_request"))
answer_with(RequestDataTooBig, lambda _: ApiError(413, "request_too_large"))
answer_with(SuspiciousOperation, lambda _: ApiError(400, "faulty_request"))
answer_with(UnreadablePostError, lambda _: ApiError(400, "faulty_request"))
answer_with(DatabaseError, answer_database_error)
answer_with(SchemaDiffers, lambda _: ServiceUnavailable())
