"""The actions `update_merge` and `update_overwrite`, which change the public fields of numbers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from categories.contract import Row, RowFailed
from categories.contract.rows import file_columns
from categories.number_management.actions.changing import Change, ChangeNumbers
from categories.number_management.batches import NumberBatch
from categories.number_management.columns import (
    CARRIER_NAME,
    FEATURE_COLUMNS,
    OPAQUE,
    find_fields,
    make_features,
    merge_features,
)
from categories.number_management.errors import HAS_ITS_OWN, IN_THE_WAY, MISSING, UNAUTHORIZED
from categories.number_management.records import NumberRecord


class Update(ChangeNumbers, abstract=True):
    """Change public fields of numbers on whose accounts the token may act."""

    columns = (CARRIER_NAME, *FEATURE_COLUMNS, OPAQUE)
    errors = (*MISSING, UNAUTHORIZED, HAS_ITS_OWN, IN_THE_WAY)
    written = ("features",)

    @abstractmethod
    def combine(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the fields of a number after a row that sets the new ones."""

    def find_change(self, rows: Sequence[Row], batch: NumberBatch) -> Change:
        """Return the update by a row's cells."""
        fields = find_fields(file_columns(rows[0])) if rows else []

        def change(row: Row, before: NumberRecord) -> NumberRecord:
            if not batch.rights.may_act_on(before.account_id):
                raise RowFailed(UNAUTHORIZED)
            features = self.combine(before.features, make_features(row, fields))
            if features == before.features:
                return before
            return before._replace(features=features, modified=batch.second)

        return change


class UpdateMerge(Update):
    """Set public fields of numbers; unset cells leave theirs as they are."""

    def combine(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the old fields with the new ones laid over them."""
        return merge_features(old, new)


class UpdateOverwrite(Update):
    """Replace all public fields of numbers.

    A field stays only if its row sets it: an empty cell unsets its field, and so does a column
    that the file lacks.
    """

    def combine(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the new fields alone."""
        return new
