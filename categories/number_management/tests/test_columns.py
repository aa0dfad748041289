import pytest

from categories.contract import RowFailed
from categories.contract.rows import Row, RowShape
from categories.number_management.actions.updating import UpdateMerge
from categories.number_management.columns import (
    FEATURES,
    NUMBER_COLUMNS,
    find_fields,
    make_features,
    merge_features,
)
from categories.number_management.tests.factories import NUMBER


def read_features(cells: dict[str, str]) -> dict[str, object]:
    """Return the public fields that a row of a file sets."""
    shape = RowShape(UpdateMerge, ["e164", *cells])
    (row,) = shape.parse_batch([[NUMBER, *cells.values()]], 1)
    assert isinstance(row, Row), row
    return make_features(row, find_fields(cells))


def test_there_are_26_columns_and_16_features() -> None:
    assert len(NUMBER_COLUMNS) == 26
    assert [feature.column for feature in FEATURES] == list(NUMBER_COLUMNS[10:])
    assert len(FEATURES) == 16


def test_cells_are_stored_at_the_paths_of_their_columns() -> None:
    cells = {"cnam.outbound": "Cafe", "e911.name": "Ann", "force_outbound": "false",
             "carrier_name": "Telnyx", "opaque.a": "1", "opaque.b.c.d": "2", "opaque.b.e": "",
             "cnam.inbound": ""}  # fmt: skip

    assert read_features(cells) == {
        "cnam": {"display_name": "Cafe"},
        "e911": {"caller_name": "Ann"},
        "force_outbound": False,
        "carrier_name": "Telnyx",
        "a": "1",
        "b": {"c": {"d": "2"}},
    }


@pytest.mark.parametrize("name", ["opaque.cnam.display_name", "opaque.e911", "opaque.carrier_name"])
def test_an_opaque_column_cannot_set_what_has_a_column_of_its_own(name: str) -> None:
    with pytest.raises(RowFailed, match=f"bad field.s. {name}: .* has columns of its own"):
        read_features({name: "x"})


@pytest.mark.parametrize("names", [("opaque.a", "opaque.a.b"), ("opaque.a.b.c", "opaque.a.b")])
def test_of_two_opaque_columns_one_cannot_lie_within_the_other(names: tuple[str, str]) -> None:
    cells = dict.fromkeys(names, "x")

    with pytest.raises(RowFailed, match=f"bad field.s. {names[1]}: it lies within another"):
        read_features(cells)

    assert read_features(cells | {names[0]: ""})


def test_merging_overlays_at_any_depth_and_changes_neither() -> None:
    old = {"a": {"x": 1, "y": 2}, "b": 3}
    new = {"a": {"y": 4}, "c": {"z": 5}}

    merged = merge_features(old, new)

    assert merged == {"a": {"x": 1, "y": 4}, "b": 3, "c": {"z": 5}}
    assert old == {"a": {"x": 1, "y": 2}, "b": 3}
    assert new == {"a": {"y": 4}, "c": {"z": 5}}
