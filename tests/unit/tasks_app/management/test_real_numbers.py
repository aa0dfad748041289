"""Are the demo's numbers real, distinct and always the same?"""

from phonenumbers import SUPPORTED_REGIONS, is_valid_number, parse, region_code_for_number

from categories.number_management.reconcilable import is_reconcilable
from tasks_app.management.real_numbers import real_numbers


def test_every_number_is_valid_in_the_plan_of_its_country() -> None:
    numbers = real_numbers(3_000)

    assert [number for number in numbers if not is_valid_number(parse(number))] == []


def test_there_are_as_many_as_asked_for_and_none_twice() -> None:
    numbers = real_numbers(3_000)

    assert len(numbers) == len(set(numbers)) == 3_000


def test_nearly_every_country_is_there() -> None:
    regions = {region_code_for_number(parse(number)) for number in real_numbers(2_000)}

    assert len(regions) > 0.95 * len(SUPPORTED_REGIONS)


def test_a_shorter_list_is_the_beginning_of_a_longer_one() -> None:
    assert real_numbers(1_500)[:500] == real_numbers(500)


def test_accounts_can_have_every_number() -> None:
    assert [number for number in real_numbers(3_000) if not is_reconcilable(number)] == []
