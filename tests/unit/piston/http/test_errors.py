import sqlite3
from collections.abc import Iterator

import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError, ProgrammingError, connection
from django.http import Http404
from rest_framework import exceptions

from piston.accounts.errors import InvalidCredentials, NotPermitted, UnknownAccount
from piston.http import errors
from piston.http.errors import (
    ApiError,
    BadIdentifier,
    FaultyRequest,
    InvalidRequest,
    NotFound,
    RequestTooLarge,
    answer_with,
    find_answer,
    to_response,
)


class Oops(Exception):
    pass


class WorseOops(Oops):
    pass


@pytest.fixture(autouse=True)
def same_table(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(errors, "_ANSWERS", dict(errors._ANSWERS))
    return


TABLE = [
    (InvalidCredentials(), 401, "invalid_credentials"),
    (exceptions.AuthenticationFailed(), 401, "invalid_credentials"),
    (NotPermitted(), 403, "forbidden"),
    (PermissionDenied(), 403, "forbidden"),
    (UnknownAccount("x"), 404, "bad identifier"),
    (Http404(), 404, "not_found"),
    (exceptions.MethodNotAllowed("POST"), 405, "method_not_allowed"),
    (exceptions.NotAcceptable(), 406, "not_acceptable"),
    (RequestDataTooBig(), 413, "request_too_large"),
    (exceptions.UnsupportedMediaType("a/b"), 415, "unsupported_media_type"),
    (exceptions.Throttled(3), 429, "too_many_requests"),
    (exceptions.ParseError(), 400, "faulty_request"),
    (SuspiciousOperation(), 400, "faulty_request"),
    (OperationalError("server closed the connection"), 503, "service_unavailable"),
    (InterfaceError("connection already closed"), 503, "service_unavailable"),
    (ProgrammingError("no such column"), 500, "internal_error"),
    (ZeroDivisionError(), 500, "internal_error"),
]


@pytest.mark.parametrize(("error", "status", "message"), TABLE)
def test_every_error_has_its_answer(error: Exception, status: int, message: str) -> None:
    answer = find_answer(error)

    assert (answer.status, answer.message) == (status, message)


def test_the_data_of_an_error_is_its_message_in_words() -> None:
    assert find_answer(Http404()).data == {"message": "not found"}


def test_an_unknown_account_is_named() -> None:
    assert find_answer(UnknownAccount("abc")).data == ["abc"]


def test_what_went_wrong_inside_is_never_told() -> None:
    assert "secret" not in str(find_answer(ValueError("secret")).data)


@pytest.mark.parametrize("error", [exceptions.Throttled(3), OperationalError("away")])
def test_an_answer_that_invites_a_retry_says_when(error: Exception) -> None:
    assert int(find_answer(error).headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (sqlite3.SQLITE_ERROR, 500),  # no such table, a syntax error
        (sqlite3.SQLITE_BUSY, 503),
        (sqlite3.SQLITE_CANTOPEN, 503),
        (sqlite3.SQLITE_FULL, 507),
    ],
)
def test_sqlite_tells_nonsense_from_being_away(code: int, status: int) -> None:
    error = OperationalError("…")
    error.__cause__ = sqlite3.OperationalError("…")
    error.__cause__.sqlite_errorcode = code

    assert find_answer(error).status == status


@pytest.mark.django_db
def test_an_error_undoes_the_transaction_of_its_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)

    to_response(Http404(), {"request": None})

    assert connection.get_rollback()
    connection.set_rollback(False)


def test_the_specified_form_of_invalid_input() -> None:
    answer = InvalidRequest()

    assert (answer.status, answer.message) == (500, "invalid request")
    assert answer.data == {"message": "invalid request"}


def test_the_specified_forms_of_a_missing_thing() -> None:
    listed, caused = NotFound("x"), BadIdentifier("x")

    assert (listed.status, listed.message, listed.data) == (404, "bad identifier", ["x"])
    assert (caused.status, caused.message) == (404, "bad_identifier")


def test_a_faulty_request_says_why() -> None:
    assert FaultyRequest("page_size has to be a number").data == {
        "message": "faulty request",
        "reason": "page_size has to be a number",
    }


def test_too_large_names_the_limit() -> None:
    assert "17 bytes" in RequestTooLarge(17).data["reason"]


def test_another_app_adds_its_errors() -> None:
    answer_with(Oops, lambda error: ApiError(418, "teapot", [str(error)]))

    answer = find_answer(Oops("x"))

    assert (answer.status, answer.data) == (418, ["x"])


def test_a_parent_class_stands_for_its_children() -> None:
    answer_with(Oops, lambda _: ApiError(418, "teapot"))

    assert find_answer(WorseOops()).status == 418


def test_a_child_may_have_its_own_answer() -> None:
    answer_with(Oops, lambda _: ApiError(418, "teapot"))
    answer_with(WorseOops, lambda _: ApiError(410, "gone"))

    assert find_answer(WorseOops()).status == 410
