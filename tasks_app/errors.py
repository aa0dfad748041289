"""What can go wrong on purpose? Every error that tasks_app raises, one sentence each."""

from __future__ import annotations

from collections.abc import Sequence
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

    The sentence is the specification's; `reason` says which fault it was. `row` counts data rows
    from 1 and `line` physical lines from 1; None means not known or not applicable.
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
        super().__init__(f"{self.sentence()}: {reason}")
        self.reason = reason
        self.row = row
        self.line = line
        self.expected = expected
        self.got = got


class FieldErrors(PistonError):  # noqa: N818 - it reports several
    """The input's fields do not fit the action.

    `missing_mandatory_values` holds at most the first 100 such rows, exactly as they stand in the
    file; `missing_mandatory_values_count` is the number of all that were seen.
    """

    code = "invalid_fields"

    def __init__(
        self,
        unknown_fields: Sequence[str],
        missing_mandatory_fields: Sequence[str],
        missing_mandatory_values: Sequence[str],
        missing_mandatory_values_count: int,
    ) -> None:
        super().__init__()
        self.unknown_fields = list(unknown_fields)
        self.missing_mandatory_fields = list(missing_mandatory_fields)
        self.missing_mandatory_values = list(missing_mandatory_values)
        self.missing_mandatory_values_count = missing_mandatory_values_count
