import pytest

from categories.number_management.describing import NumberDescription, describe_number


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("+14157215234", NumberDescription("US", "fixed line or mobile", "+1 415-721-5234")),
        ("+442079460000", NumberDescription("GB", "fixed line", "+44 20 7946 0000")),
        ("+4915112345678", NumberDescription("DE", "mobile", "+49 1511 2345678")),
        ("+80012345678", NumberDescription("001", "toll-free", "+800 1234 5678")),
        ("+12", NumberDescription("", "", "+12")),
    ],
)
def test_a_number_is_described_for_people(number: str, expected: NumberDescription) -> None:
    assert describe_number(number) == expected
