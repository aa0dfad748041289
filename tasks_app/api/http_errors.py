"""Maps each error of tasks and categories to an HTTP answer.

Errors that map to InternalError should never reach a request; they are logged with their trace.
"""

from __future__ import annotations

from typing import Any

from categories import errors as categories
from piston import disk_reserve
from piston.http.errors import (
    ApiError,
    BadIdentifier,
    FaultyRequest,
    InsufficientStorage,
    InternalError,
    InvalidRequest,
    NotFound,
    QuotaExceeded,
    ServiceUnavailable,
    answer_with,
)
from tasks_app import errors as tasks

QUOTA_SECONDS = 60  # Retry-After, for a client that waits until others remove tasks


class RangeNotSatisfiable(ApiError):
    """416 `range_not_satisfiable`: the file ends before the range begins (RFC 9110 §15.5.17)."""

    def __init__(self, size_bytes: int) -> None:
        super().__init__(
            416, "range_not_satisfiable", headers={"Content-Range": f"bytes */{size_bytes}"}
        )


def answer_csv_format(error: tasks.CSVFormatError) -> ApiError:
    """Say what is wrong with the form of a CSV, and where."""
    places = {
        "row": error.row,
        "line": error.line,
        "expected": error.expected,
        "got": error.got,
    }
    said = {"message": error.sentence(), "reason": error.reason, **places}
    return InvalidRequest({"csv": {"format": said}})


def answer_fields(error: tasks.FieldErrors) -> ApiError:
    """Report all fields and values that do not fit the action; leave out empty lists."""
    said: dict[str, Any] = {
        "unknown_fields": error.unknown_fields,
        "did_you_mean": error.did_you_mean,
        "missing_mandatory_fields": error.missing_mandatory_fields,
        "missing_mandatory_values": error.missing_mandatory_values,
    }
    if error.missing_mandatory_values_count > len(error.missing_mandatory_values):
        said["missing_mandatory_values_count"] = error.missing_mandatory_values_count
    return answer_attachment(**{key: value for key, value in said.items() if value})


def answer_quota(error: tasks.QuotaExceeded, *, status: int) -> ApiError:
    """Say which limit of the account is reached, its value, and what to do."""
    return QuotaExceeded(
        status,
        str(error),
        limit=error.limit,
        value=error.value,
        wait_seconds=QUOTA_SECONDS,
    )


def answer_attachment(**said: Any) -> ApiError:
    """Return the specification's answer to an input that does not fit its action."""
    return InvalidRequest({"attachment": {"type": said}})


def fault_of_ours(_error: Exception) -> ApiError:
    """Answer an error that should have been handled earlier."""
    return InternalError()


answer_with(tasks.CSVFormatError, answer_csv_format)
answer_with(tasks.InvalidJSON, lambda error: FaultyRequest(error.reason, message="invalid_json"))
answer_with(tasks.FaultyDocument, lambda error: FaultyRequest(error.reason))
answer_with(tasks.FieldErrors, answer_fields)
answer_with(
    tasks.UnexpectedContent,
    lambda error: answer_attachment(expected_content=error.expected_content),
)
answer_with(tasks.QuotaExceeded, lambda error: answer_quota(error, status=429))
answer_with(tasks.TooManyStoredBytes, lambda error: answer_quota(error, status=413))
answer_with(tasks.StorageUnavailable, lambda _: ServiceUnavailable())
answer_with(tasks.StorageFull, lambda _: InsufficientStorage(disk_reserve.REASON))
answer_with(tasks.ConverterDied, lambda _: ServiceUnavailable())
answer_with(tasks.TaskNotFound, lambda error: BadIdentifier(error.task_id))
answer_with(tasks.CSVNotFound, lambda error: BadIdentifier(error.task_id))
answer_with(tasks.TaskIsRunning, lambda error: BadIdentifier(error.task_id))
answer_with(tasks.TaskAlreadyStarted, lambda error: BadIdentifier(error.task_id, str(error)))
answer_with(tasks.TaskDoesNotFit, lambda error: BadIdentifier(error.task_id, str(error)))
answer_with(tasks.CannotBeRetried, lambda error: BadIdentifier(error.task_id, str(error)))
answer_with(tasks.TaskIsNotRunning, lambda error: BadIdentifier(error.task_id, str(error)))
answer_with(categories.UnknownCategory, lambda error: NotFound(error.name))
answer_with(categories.UnknownAction, lambda error: NotFound(error.name))

for _error in (
    tasks.ActionBroken,
    categories.ActionWaits,
    tasks.ClaimLost,
    tasks.InvalidTransition,
    tasks.LedgerRefused,
    categories.RowTimedOut,
    tasks.StoredFileMissing,
    tasks.StoredFileChanged,
    tasks.TaskError,
    categories.BadSetting,
    categories.BrokenDeclaration,
    categories.CellError,
    categories.NotEverywhere,
    categories.RegistrationRefused,
    categories.UndeclaredOutput,
):
    answer_with(_error, fault_of_ours)
