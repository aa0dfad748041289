from categories.number_management.columns import (
    FEATURES,
    NUMBER_COLUMNS,
    merge_features,
    put_value,
    read_value,
)


def test_there_are_26_columns_and_16_features() -> None:
    assert len(NUMBER_COLUMNS) == 26
    assert [feature.column for feature in FEATURES] == list(NUMBER_COLUMNS[10:])
    assert len(FEATURES) == 16


def test_every_feature_is_read_from_where_it_is_put() -> None:
    document: dict[str, object] = {}

    for feature in FEATURES:
        put_value(document, feature.path, feature.column.name)

    assert [read_value(document, feature.path) for feature in FEATURES] == [
        feature.column.name for feature in FEATURES
    ]


def test_a_value_where_a_document_should_be_reads_as_none() -> None:
    assert read_value({"cnam": "broken"}, ("cnam", "display_name")) is None


def test_merging_overlays_at_any_depth_and_changes_neither() -> None:
    old = {"a": {"x": 1, "y": 2}, "b": 3}
    new = {"a": {"y": 4}, "c": {"z": 5}}

    merged = merge_features(old, new)

    assert merged == {"a": {"x": 1, "y": 4}, "b": 3, "c": {"z": 5}}
    assert old == {"a": {"x": 1, "y": 2}, "b": 3}
    assert new == {"a": {"y": 4}, "c": {"z": 5}}
