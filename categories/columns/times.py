"""Columns whose values are days, moments and durations."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

from categories.columns.base import Column
from categories.errors import CellError
from piston.gregorian import from_gregorian, to_gregorian

DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
CLOCK = r"[0-9]{2}:[0-9]{2}:[0-9]{2}"
MOMENT = rf"{DATE}[Tt ]{CLOCK}(?:\.[0-9]{{1,6}})?(?:[Zz]|[+-][0-9]{{2}}:[0-9]{{2}})"
FIRST_MOMENT = datetime.min.replace(tzinfo=UTC)
LAST_MOMENT = datetime.max.replace(tzinfo=UTC)

MAX_DURATION_SECONDS = 2**31 - 1  # about 68 years; the maximum of the database's integer
UNIT_SECONDS = {"weeks": 604_800, "days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}
ISO_CLOCK = "".join(
    f"(?:(?P<{unit}>[0-9]{{1,10}}){unit[0].upper()})?" for unit in ("hours", "minutes", "seconds")
)
DURATION_FORMS = tuple(
    re.compile(form)
    for form in (
        r"(?P<seconds>[0-9]{1,10})",
        r"(?P<hours>[0-9]{1,6}):(?P<minutes>[0-5][0-9]):(?P<seconds>[0-5][0-9])",
        r"P(?P<weeks>[0-9]{1,10})W",
        rf"P(?=.)(?:(?P<days>[0-9]{{1,10}})D)?(?:T(?=.){ISO_CLOCK})?",
    )
)
DURATION_IN_SCHEMA = (
    "[0-9]+|[0-9]+:[0-5][0-9]:[0-5][0-9]|P[0-9]+W"
    "|P(?=.)(?:[0-9]+D)?(?:T(?=.)(?:[0-9]+H)?(?:[0-9]+M)?(?:[0-9]+S)?)?"
)


class DateColumn(Column[date]):
    """A day, as ISO 8601 writes it."""

    type_name = "date"
    rule = "a date: YYYY-MM-DD (ISO 8601), years 0001 to 9999"
    default_example = "2026-03-31"
    shares_values = True

    def parse(self, text: str) -> date:
        """Return the day."""
        if re.fullmatch(DATE, text) is None:
            raise CellError(f"not a date: write YYYY-MM-DD, such as {self.default_example}")
        try:
            return date.fromisoformat(text)
        except ValueError as error:
            raise CellError("not a day of the calendar: write one such as 2026-03-31") from error

    def format(self, value: date | None) -> str:
        """Return the day as YYYY-MM-DD."""
        return "" if value is None else value.isoformat()

    def json_schema(self) -> dict[str, Any]:
        """Return a text in the format of a date."""
        return {"type": "string", "format": "date", "pattern": f"^{DATE}$"}


class MomentColumn(Column[datetime]):
    """A moment, as RFC 3339 and ISO 8601 write it. The value is in UTC, and so is the output."""

    type_name = "moment"
    rule = (
        "a moment (RFC 3339): YYYY-MM-DDThh:mm:ss, at most 6 digits of a second after a point,"
        " and Z or an offset such as +02:00; years 0001 to 9999"
    )
    default_example = "2026-03-31T12:00:00Z"
    shares_values = True

    def parse(self, text: str) -> datetime:
        """Return the moment in UTC."""
        if re.fullmatch(MOMENT, text) is None:
            raise CellError(self._explain(text))
        try:
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise CellError(
                f"not a moment of the calendar: write one such as {self.default_example}"
            ) from error

    def _explain(self, text: str) -> str:
        if re.fullmatch(rf"{DATE}[Tt ]{CLOCK}(?:\.[0-9]{{1,6}})?", text):
            return "a moment without its time zone: end it with Z, or an offset such as +02:00"
        return f"not a moment: write YYYY-MM-DDThh:mm:ssZ, such as {self.default_example}"

    def format(self, value: datetime | None) -> str:
        """Return the moment in UTC, ending with Z; raise ValueError if it has no time zone."""
        if value is None:
            return ""
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"

    def json_schema(self) -> dict[str, Any]:
        """Return a text in the format of a moment."""
        return {"type": "string", "pattern": f"^{MOMENT}$"}


class DateTimeColumn(Column[datetime]):
    """A moment in Gregorian seconds, like all times in the API."""

    type_name = "timestamp"
    rule = (
        "Gregorian seconds: whole seconds since year 0, UTC,"
        f" from {to_gregorian(FIRST_MOMENT)} to {to_gregorian(LAST_MOMENT)}"
    )
    default_example = "63632526992"
    shares_values = True

    def parse(self, text: str) -> datetime:
        """Return the moment."""
        if re.fullmatch(r"[0-9]{1,12}", text) is None:
            raise CellError(
                "not Gregorian seconds: write whole seconds since year 0,"
                f" such as {self.default_example}"
            )
        try:
            return from_gregorian(int(text))
        except OverflowError as error:
            raise CellError("outside of the calendar of the years 1 to 9999") from error

    def format(self, value: datetime | None) -> str:
        """Return the whole seconds since year 0."""
        return "" if value is None else str(to_gregorian(value))

    def json_schema(self) -> dict[str, Any]:
        """Return JSON's whole numbers, and texts of digits."""
        return {
            "type": ["integer", "string"],
            "pattern": "^[0-9]{1,12}$",
            "minimum": to_gregorian(FIRST_MOMENT),
            "maximum": to_gregorian(LAST_MOMENT),
        }


class DurationColumn(Column[timedelta]):
    """A length of time in whole seconds. The output is ISO 8601, which says its units."""

    type_name = "duration"
    rule = (
        "a duration: whole seconds (90), hh:mm:ss (00:01:30), or ISO 8601 with weeks, or days to"
        f" seconds (PT1M30S); at most {MAX_DURATION_SECONDS:,} seconds"
    )
    default_example = "PT1M30S"
    shares_values = True

    def parse(self, text: str) -> timedelta:
        """Return the duration."""
        matches = (form.fullmatch(text) for form in DURATION_FORMS)
        match = next(filter(None, matches), None)
        if match is None:
            raise CellError(self._explain(text))
        counts = match.groupdict("0")
        seconds = sum(int(count) * UNIT_SECONDS[unit] for unit, count in counts.items())
        if seconds > MAX_DURATION_SECONDS:
            raise CellError(f"more than {MAX_DURATION_SECONDS:,} seconds")
        return timedelta(seconds=seconds)

    def _explain(self, text: str) -> str:
        if re.fullmatch(r"P[0-9YMWD]+(?:T[0-9HMS]*)?", text):
            return "not a duration: years and months differ in length; write days, such as P30D"
        return "not a duration: write seconds, hh:mm:ss, or ISO 8601, such as PT1M30S"

    def format(self, value: timedelta | None) -> str:
        """Return the duration in ISO 8601, in days, hours, minutes and seconds."""
        if value is None:
            return ""
        minutes, seconds = divmod(value.seconds, 60)
        hours, minutes = divmod(minutes, 60)
        counts = {"H": hours, "M": minutes, "S": seconds}
        clock = "".join(f"{count}{unit}" for unit, count in counts.items() if count)
        days = f"{value.days}D" if value.days else ""
        return f"P{days}T{clock}" if clock else f"P{days or 'T0S'}"

    def json_schema(self) -> dict[str, Any]:
        """Return JSON's whole numbers of seconds, and texts."""
        return {
            "type": ["integer", "string"],
            "minimum": 0,
            "maximum": MAX_DURATION_SECONDS,
            "pattern": f"^(?:{DURATION_IN_SCHEMA})$",
        }
