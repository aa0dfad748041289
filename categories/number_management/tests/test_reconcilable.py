import pytest

from categories.number_management.reconcilable import is_reconcilable


@pytest.mark.parametrize(
    "number", ["+14157215234", "+10000000000", "+20000000", "+442079460000", "+93701234567",
               "+912345678901234", "+99999999999999"],
)  # fmt: skip
def test_numbers_of_numbering_plans_are_reconcilable(number: str) -> None:
    assert is_reconcilable(number)


@pytest.mark.parametrize(
    "number", ["+911", "+112", "+999999999999999", "+1415721523", "+141572152345", "+2000000",
               "+110", "+9112", "+4420794", "4157215234", "+0123456789", "+14157215234\n",
               "+9999999999999999"],
)  # fmt: skip
def test_emergency_test_and_incomplete_numbers_are_not(number: str) -> None:
    assert not is_reconcilable(number)
