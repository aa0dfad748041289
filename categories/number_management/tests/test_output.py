from typing import Any

import pytest

from categories.number_management.columns import FEATURES, NUMBER_COLUMNS, put_value
from categories.number_management.output import number_texts
from categories.number_management.records import NumberRecord
from categories.number_management.tests.factories import NUMBER
from piston.gregorian import from_gregorian

FULL = NumberRecord(
    number=NUMBER,
    account_id="a" * 32,
    state="in_service",
    created=63_934_405_323,
    modified=63_962_668_800,
    carrier_module="knm_telnyx",
    ported_in=True,
    previously_assigned_to="b" * 32,
    used_by="callflow",
)


@pytest.mark.parametrize(
    "record", [FULL, NumberRecord(NUMBER, None, "available", 6 * 10**10, 63 * 10**9)]
)
def test_the_cells_are_those_that_the_columns_would_write(record: NumberRecord) -> None:
    values = [
        record.number, None, record.account_id, record.previously_assigned_to, record.state,
        from_gregorian(record.created), from_gregorian(record.modified), record.used_by,
        record.ported_in, record.carrier_module,
    ]  # fmt: skip

    texts = number_texts(record, None)

    assert list(texts[:10]) == [
        column.format(value) for column, value in zip(NUMBER_COLUMNS[:10], values, strict=True)
    ]
    assert texts[10:] == ("",) * 16


def test_every_feature_is_written_into_its_column() -> None:
    values = [
        column.type_name == "boolean" or f"value {place}"
        for place, (column, _) in enumerate(FEATURES)
    ]
    features: dict[str, Any] = {"carrier_name": "Telnyx", "own": {"x": "y"}}
    for (_, path), value in zip(FEATURES, values, strict=True):
        put_value(features, path, value)

    texts = number_texts(FULL._replace(features=features), "Cafe")

    assert texts[1] == "Cafe"
    assert list(texts[10:]) == ["true" if value is True else value for value in values]


@pytest.mark.parametrize("features", [{"cnam": "broken"}, {"force_outbound": {"x": "y"}}])
def test_a_feature_of_another_shape_is_not_written(features: dict[str, Any]) -> None:
    assert number_texts(FULL._replace(features=features), None)[10:] == ("",) * 16
