from categories.columns import TextColumn
from categories.contract import Context, Row, RowAction
from categories.contract.help_and_template import csv_template, describe_action
from categories.number_management.actions.add import Add
from categories.number_management.actions.listing import List


def test_an_action_with_input_tells_its_columns_in_their_order() -> None:
    described = describe_action(Add)

    assert described["expected_content"] == "text/csv"
    assert described["mandatory"] == ["number", "account_id"]
    assert described["optional"][:3] == ["state", "carrier_module", "cnam.inbound"]
    assert described["output"] == ["state"]
    assert described["columns"][0] == {
        "name": "number",
        "type": "e164",
        "rule": "E.164: + and 2 to 15 digits, the first not 0",
        "help": "Number to add.",
        "example": "+14157215234",
        "mandatory": True,
    }


def test_an_action_without_input_has_no_keys_about_input() -> None:
    described = describe_action(List)

    assert set(described) == {"description", "doc", "output"}
    assert len(described["output"]) == 26


def test_the_template_is_the_header_and_one_row_of_examples() -> None:
    header, example = csv_template(Add).splitlines()

    assert header.startswith("number,account_id,state,")
    assert example.startswith("+14157215234,009afc511c97b2ae693c6cc4920988e8,in_service,")


def test_there_is_no_template_without_input() -> None:
    assert csv_template(List) == ""


def test_the_template_names_a_column_that_an_open_one_takes() -> None:
    class Tag(RowAction):
        """Tag numbers."""

        tags = TextColumn("tag.*", "Any tag.")

        def process(self, row: Row, context: Context) -> None: ...

    assert csv_template(Tag) == "tag.example\ntext\n"
    assert describe_action(Tag)["optional"] == ["tag.*"]
