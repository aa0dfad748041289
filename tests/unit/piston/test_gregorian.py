"""Are moments converted to Gregorian seconds, rounded down, and back?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from piston.gregorian import UNIX_EPOCH, from_gregorian, to_gregorian

FRACTION = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("moment", "seconds"),
    [
        (UNIX_EPOCH, 62_167_219_200),
        (datetime(2016, 5, 19, 12, 16, 32, tzinfo=UTC), 63_630_879_392),
        (UNIX_EPOCH - FRACTION, 62_167_219_199),
        (UNIX_EPOCH + timedelta(seconds=1) - FRACTION, 62_167_219_200),
    ],
)
def test_a_moment_is_the_whole_second_that_it_is_in(moment: datetime, seconds: int) -> None:
    assert to_gregorian(moment) == seconds


@pytest.mark.parametrize("seconds", [31_622_400, 62_167_219_199, 62_167_219_200, 63_630_879_392])
def test_a_second_comes_back(seconds: int) -> None:
    assert to_gregorian(from_gregorian(seconds)) == seconds


@pytest.mark.parametrize("seconds", [0, 31_622_399, 10**12])
def test_outside_of_the_calendar_is_an_error(seconds: int) -> None:
    with pytest.raises(OverflowError):
        from_gregorian(seconds)
