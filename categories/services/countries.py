"""Finds the country of a telephone number from its first digits, so that SQL can group by them."""

from __future__ import annotations

from functools import lru_cache

import phonenumbers
from django.db.models import Case, When
from django.db.models.functions import Substr

NO_COUNTRY = "XX"
NORTH_AMERICA = "+1"  # 25 countries, distinguished by the next 3 digits

# 7 digits distinguish the countries of other shared calling codes (Jersey needs all 7)
leading_digits = Case(
    When(number__startswith=NORTH_AMERICA, then=Substr("number", 1, 5)),
    default=Substr("number", 1, 8),
)


@lru_cache(maxsize=100_000)
def find_country(leading: str) -> str:
    """Return the ISO 3166-1 code for a number's first digits, "001" for an international code.

    Return XX if nothing is known. The digits are completed from an example of the calling code,
    because only whole numbers tell apart the countries that share a code.
    """
    try:
        calling_code = phonenumbers.parse(leading.ljust(6, "0")).country_code or 0
    except phonenumbers.NumberParseException:
        return NO_COUNTRY
    main_country = phonenumbers.region_code_for_country_code(calling_code)
    example = phonenumbers.example_number(main_country)
    if example is None:  # an international code, which belongs to no country
        return main_country
    end = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)[len(leading) :]
    number = phonenumbers.parse(leading + end)
    return phonenumbers.region_code_for_number(number) or main_country
