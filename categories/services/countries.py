"""Which country is a telephone number of? Told from how it begins, so that SQL can count by it."""

from __future__ import annotations

from functools import lru_cache

import phonenumbers
from django.db.models import Case, When
from django.db.models.functions import Substr

NO_COUNTRY = "XX"
NORTH_AMERICA = "+1"  # 25 countries, told apart by the 3 digits after it

# of other shared calling codes, 7 digits tell the countries apart (Jersey's are the longest)
leading_digits = Case(
    When(number__startswith=NORTH_AMERICA, then=Substr("number", 1, 5)),
    default=Substr("number", 1, 8),
)


@lru_cache(maxsize=100_000)
def find_country(leading: str) -> str:
    """Return the ISO 3166-1 code of a number that begins so, "001" where a code is international.

    XX where nothing is known about it. Its end is taken from an example of the calling code,
    because countries that share one are told apart by their numbering plans.
    """
    try:
        calling_code = phonenumbers.parse(leading.ljust(6, "0")).country_code or 0
    except phonenumbers.NumberParseException:
        return NO_COUNTRY
    main_country = phonenumbers.region_code_for_country_code(calling_code)
    example = phonenumbers.example_number(main_country)
    if example is None:  # an international code: no country has it
        return main_country
    end = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)[len(leading) :]
    number = phonenumbers.parse(leading + end)
    return phonenumbers.region_code_for_number(number) or main_country
