"""Every error that tasks_app raises on purpose, with one sentence each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar


class PistonError(Exception):
    """Something was refused on purpose."""

    code: ClassVar[str] = "error"  # stable: clients and tests may compare it

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.sentence())

    @classmethod
    def sentence(cls) -> str:
        """Return the docstring's first line without its full stop: the default message."""
        return (cls.__doc__ or cls.__name__).strip().split("\n", 1)[0].removesuffix(".")


class CSVFormatError(PistonError):
    """Empty CSV or some row(s) longer than others or header missing.

    The sentence comes from the specification; `reason` names the fault. `row` counts data rows and
    `line` counts physical lines, both from 1. None means unknown or not applicable.
    """

    code = "csv_format"

    def __init__(
        self,
        reason: str,
        *,
        row: int | None = None,
        line: int | None = None,
        expected: int | str | None = None,
        got: int | str | None = None,
    ) -> None:
        places = {"row": row, "line": line}
        known = ", ".join(f"{name} {number}" for name, number in places.items() if number)
        super().__init__(f"{self.sentence()}: {reason}" + (f" ({known})" if known else ""))
        self.reason = reason
        self.row = row
        self.line = line
        self.expected = expected
        self.got = got


class InvalidJSON(PistonError):
    """The body is no JSON object; `reason` says why."""

    code = "invalid_json"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class FaultyDocument(PistonError):
    """A JSON document does not hold what it should; `reason` says what."""

    code = "faulty_document"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class FieldErrors(PistonError):
    """The input's fields do not fit the action.

    `missing_mandatory_values` holds at most the first 100 rows, exactly as they stand in the file.
    `missing_mandatory_values_count` counts all such rows that the scan saw. `did_you_mean` maps an
    unknown name to the declared one that differs only in case or spaces.
    """

    code = "invalid_fields"

    def __init__(
        self,
        unknown_fields: Sequence[str],
        missing_mandatory_fields: Sequence[str],
        missing_mandatory_values: Sequence[str],
        missing_mandatory_values_count: int,
        *,
        did_you_mean: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        self.unknown_fields = list(unknown_fields)
        self.missing_mandatory_fields = list(missing_mandatory_fields)
        self.missing_mandatory_values = list(missing_mandatory_values)
        self.missing_mandatory_values_count = missing_mandatory_values_count
        self.did_you_mean = dict(did_you_mean or {})


class InvalidTransition(PistonError):
    """A task cannot go from its status to that one."""

    code = "invalid_transition"

    def __init__(self, start: str, end: str) -> None:
        super().__init__(f"A task that is {start} cannot become {end}.")
        self.start = start
        self.end = end


class TaskError(PistonError):
    """Something about one task; `task_id` says which."""

    code = "task_error"

    def __init__(self, task_id: str, message: str | None = None) -> None:
        super().__init__(message)
        self.task_id = task_id


class TaskNotFound(TaskError):
    """There is no such task in this account."""

    code = "task_not_found"


class TaskAlreadyStarted(TaskError):
    """task already started."""

    code = "task_already_started"


class TaskDoesNotFit(TaskError):
    """The task's action, or the version of its category, is not installed any more."""

    code = "task_does_not_fit"


class TaskIsNotRunning(TaskError):
    """task is not running."""

    code = "task_is_not_running"


class TaskIsRunning(TaskError):
    """A running task cannot be deleted; stop it first."""

    code = "task_is_running"


class CannotBeRetried(TaskError):
    """only a task that ended internal_error can be retried."""

    code = "cannot_be_retried"


class TaskHasNotEnded(TaskError):
    """The task has not ended and its output is not assembled; wait for its end."""

    code = "task_has_not_ended"


class CannotBeSentAgain(TaskError):
    """The row cannot be sent again."""

    code = "cannot_be_sent_again"


class CSVNotFound(TaskError):
    """The task has no such file (yet)."""

    code = "csv_not_found"


class UnexpectedContent(PistonError):
    """The action takes another kind of input; `expected_content` is "none" or "text/csv"."""

    code = "unexpected_content"

    def __init__(self, expected_content: str) -> None:
        super().__init__()
        self.expected_content = expected_content


class QuotaExceeded(PistonError):
    """The account keeps as much as it may; `limit` is what is limited, `value` to how much."""

    code = "quota_exceeded"
    limit: ClassVar[str] = ""
    remedy: ClassVar[str] = ""

    def __init__(self, value: int) -> None:
        super().__init__(f"{self.sentence()} ({value:,}): {self.remedy}")
        self.value = value


class TooManyTasks(QuotaExceeded):
    """The account has as many tasks as it may have."""

    code = "too_many_tasks"
    limit = "tasks_per_account"
    remedy = "remove tasks that are not needed any more, which makes room at once"


class TooManyStoredBytes(QuotaExceeded):
    """The files of the account's tasks may not take more bytes than this."""

    code = "too_many_stored_bytes"
    limit = "stored_bytes_per_account"
    remedy = "remove tasks that are not needed any more, which makes room at once"


class StorageUnavailable(PistonError):
    """The file storage does not answer; try again later."""

    code = "storage_unavailable"


class StorageFull(StorageUnavailable):
    """There is no room for the file; remove tasks that are not needed any more."""

    code = "storage_full"


class ConverterDied(PistonError):
    """The process that converts an input into CSV was ended; try again later."""

    code = "converter_died"


class StoredFileMissing(PistonError):
    """A file that the database knows is not in storage."""

    code = "stored_file_missing"


class StoredFileChanged(StoredFileMissing):
    """A file in storage is not the one that was stored.

    `start` and `end` give the range of lost bytes in the original file.
    """

    code = "stored_file_changed"

    def __init__(self, message: str, *, start: int, end: int) -> None:
        super().__init__(message)
        self.start = start
        self.end = end


class ClaimLost(PistonError):
    """The newest claim is another worker's, or the task is over; nothing was written."""

    code = "claim_lost"


class ActionBroken(PistonError):
    """The action failed in a way that no row can be blamed for.

    `detail` is for staff: it may name files, hosts and statements.
    """

    code = "action_broken"

    def __init__(self, message: str, *, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail or message


class LedgerRefused(PistonError):
    """The database refuses a statement of the ledger, which is not the action's fault."""

    code = "ledger_refused"
