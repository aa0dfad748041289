"""Do the JSON Schemas in the help say the same as the columns?"""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from jsonschema import Draft202012Validator

from categories.columns import (
    AccountColumn,
    BooleanColumn,
    ChoiceColumn,
    Column,
    E164Column,
    IntegerColumn,
    TextColumn,
)
from categories.contract import RowAction
from categories.contract.help_and_template import UNSET, record_schema, value_schema
from tests.unit.categories.columns.kinds import KINDS
from tests.unit.categories.columns.test_cells import BAD, GOOD

# a schema says all of their rules; for others it cannot say the calendar, or limits of texts
SCHEMA_SAYS_ALL = (E164Column, AccountColumn, BooleanColumn, ChoiceColumn, IntegerColumn)


def validator(column: Column[Any]) -> Draft202012Validator:
    return Draft202012Validator({**value_schema(column), "$defs": {"unset": UNSET}})


@pytest.mark.django_db
def test_each_schema_in_the_help_is_one_and_accepts_the_examples() -> None:
    tasks = Client().get("/v2/tasks").json()["data"]["tasks"]
    helps = [each for actions in tasks.values() for each in actions.values() if "schema" in each]

    for described in helps:
        Draft202012Validator.check_schema(described["schema"])
        examples = {
            column["name"].replace("*", "example"): column["example"]
            for column in described["columns"]
        }
        Draft202012Validator(described["schema"]).validate(examples)
    assert len(helps) > 3


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_of_each_type_of_column_is_valid_and_accepts_its_example(kind: str) -> None:
    column = KINDS[kind]

    Draft202012Validator.check_schema(column.json_schema())
    validator(column).validate(column.example)
    validator(column.but(mandatory=True)).validate(column.example)


@pytest.mark.parametrize(("column", "text"), [(column, text) for column, text, _ in GOOD])
def test_a_good_cell_is_a_good_value(column: Column[Any], text: str) -> None:
    validator(column).validate(text)


@pytest.mark.parametrize(
    ("column", "text"),
    [
        (column, text)
        for column, text, why in BAD
        if isinstance(column, SCHEMA_SAYS_ALL) and "than" not in why and "\n" not in text
    ],
)
def test_a_bad_cell_is_a_bad_value(column: Column[Any], text: str) -> None:
    assert not validator(column).is_valid(text)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("unset", [None, "", " ", "\t"])
def test_only_a_mandatory_value_has_to_be_set(kind: str, unset: str | None) -> None:
    column = KINDS[kind]

    assert validator(column).is_valid(unset)
    assert not validator(column.but(mandatory=True)).is_valid(unset)


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("integer with limits", [-5, 50, 7], [-6, 51, 1.5, True]),
        ("decimal with limits", [0, 2.5, 1e-2], [-1, 3.5, True]),
        ("boolean", [True, False, "TRUE"], [1, "yes"]),
        ("timestamp", [63632526992], [0, 1.5]),
        ("duration", [90, 0], [-1, 2**31]),
        ("list", [["a"], []], [[1], ["a"] * 4, ["123456"]]),
        ("json", [{"a": [1]}, 5, True], []),
        ("text with limits", ["ab"], ["a", "abcde", 5]),
    ],
)
def test_values_of_json_may_be_themselves(kind: str, good: list[Any], bad: list[Any]) -> None:
    assert all(map(validator(KINDS[kind]).is_valid, good))
    assert not any(map(validator(KINDS[kind]).is_valid, bad))


class Weigh(RowAction):
    """Weigh things."""

    thing = TextColumn("What.", mandatory=True)
    weight = IntegerColumn("How heavy.", minimum=1)
    columns = [TextColumn("own.*", "Words of your own.", max_length=8)]
    output = [TextColumn("said", "What was said.")]

    def process(self, row: Any, context: Any) -> None:
        """Do nothing."""


@pytest.mark.parametrize(
    ("record", "is_good"),
    [
        ({"thing": "a"}, True),
        ({"thing": "a", "weight": 5}, True),
        ({"thing": "a", "weight": None}, True),
        ({"thing": "a", "said": "b", "error": "c"}, True),  # the output, taken back
        ({"weight": 5}, False),
        ({"thing": None}, False),
        ({"thing": "a", "own.colour.inside": "red"}, True),
        ({"thing": "a", "own.colour": "r" * 9}, False),
        ({"thing": "a", "own.*": "red"}, False),
        ({"thing": "a", "own.": "red"}, False),
        ({"thing": "a", "colour": "red"}, False),
        ("a", False),
    ],
)
def test_a_record_is_checked_as_an_upload_is(record: Any, is_good: bool) -> None:
    schema = json.loads(json.dumps(record_schema(Weigh)))

    assert Draft202012Validator(schema).is_valid(record) is is_good
