"""Is the country of a number found from its first digits?"""

import pytest

from categories.number_management.models import PhoneNumber
from categories.services.countries import find_country, leading_digits


@pytest.mark.parametrize(
    ("number", "country"),
    [
        ("+14157215234", "US"),
        ("+15062345678", "CA"),
        ("+12423456789", "BS"),
        ("+447700900123", "GB"),
        ("+447797712345", "JE"),
        ("+491512345678", "DE"),
        ("+77710009998", "KZ"),
        ("+79123456789", "RU"),
        ("+80012345678", "001"),
        ("+99912345678", "XX"),
        ("+12", "US"),
    ],
)
@pytest.mark.django_db
def test_the_beginning_of_a_number_tells_its_country(number: str, country: str) -> None:
    PhoneNumber.objects.create(number=number, state="available")

    (leading,) = PhoneNumber.objects.values_list(leading_digits, flat=True)

    assert number.startswith(leading)
    assert find_country(leading) == country


@pytest.mark.parametrize("leading", ["", "+", "garbage"])
def test_what_is_no_number_has_no_country(leading: str) -> None:
    assert find_country(leading) == "XX"
