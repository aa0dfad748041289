"""Valid telephone numbers for the demo, derived from the examples of the package phonenumbers.

Its metadata are the world's numbering plans: an example for each country and type of number, and
the rules that decide which numbers are valid.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from phonenumbers import (
    SUPPORTED_REGIONS,
    PhoneNumber,
    PhoneNumberFormat,
    PhoneNumberType,
    example_number_for_type,
    format_number,
    is_valid_number,
)

from categories.number_management.reconcilable import is_reconcilable


def real_numbers(how_many: int) -> list[str]:
    """Return distinct numbers from every country that accounts can have, the same in each run."""
    examples = list(example_numbers())
    found: dict[str, None] = {}
    for distance in count():
        for example in examples:
            number = neighbour(example, distance)
            text = number and format_number(number, PhoneNumberFormat.E164)
            if text and is_reconcilable(text):  # special numbers are valid, too
                found[text] = None
            if len(found) == how_many:
                return list(found)
    raise AssertionError("count() ends only by the return above")


def example_numbers() -> Iterator[PhoneNumber]:
    """Yield the example of each country and type of number, countries in alphabetical order."""
    for region in sorted(SUPPORTED_REGIONS):
        for kind in PhoneNumberType.values():
            example = example_number_for_type(region, kind)
            if example is not None and is_valid_number(example):
                yield example


def neighbour(number: PhoneNumber, distance: int) -> PhoneNumber | None:
    """Return the number plus `distance`, or None if it is not valid."""
    found = PhoneNumber()
    found.merge_from(number)
    found.national_number = (number.national_number or 0) + distance
    return found if is_valid_number(found) else None
