import time

import pytest

from categories.columns import (
    AccountColumn,
    BooleanColumn,
    E164Column,
    IntegerColumn,
    TextColumn,
    find_undeclared,
)
from categories.contract import (
    Context,
    Page,
    PageAction,
    Row,
    RowAction,
    RowFailed,
    Succeeded,
)
from categories.contract.rows import (
    OutputShape,
    RowShape,
    accepted_columns,
    file_columns,
    row_number,
)
from categories.errors import UndeclaredOutput

ACCOUNT_ID = "009afc511c97b2ae693c6cc4920988e8"


class Add(RowAction):
    """Add numbers."""

    number = E164Column("Number.", mandatory=True)
    account_id = AccountColumn("Account.")
    count = IntegerColumn("A name that tuples have as well.")
    cnam_inbound = BooleanColumn("cnam.inbound", "Dotted.")
    name_ = TextColumn("A word of the contract.", name="name")
    output = [TextColumn("state", "State."), BooleanColumn("new", "Whether it is new.")]

    def process(self, row: Row, context: Context) -> Succeeded: ...


class Find(Add):
    """Find numbers."""

    output = [E164Column("number", "Number."), TextColumn("state", "State.")]
    replaces_header = True


def parse(header: list[str], *cells: list[str], first_number: int = 1) -> list[Row | RowFailed]:
    return RowShape(Add, header).parse_batch(cells, first_number)


def parse_one(header: list[str], cells: list[str]) -> Row:
    (row,) = parse(header, cells)
    assert isinstance(row, Row)
    return row


def failures(rows: list[Row | RowFailed]) -> list[str | None]:
    return [row.message if isinstance(row, RowFailed) else None for row in rows]


def test_cells_are_read_by_attribute_and_by_column_whatever_their_order() -> None:
    row = parse_one(["cnam.inbound", "count", "number"], ["true", "7", "+14157215234"])

    assert (row.number, row.count, row.cnam_inbound) == ("+14157215234", 7, True)
    assert (row["number"], row["count"], row["cnam.inbound"]) == ("+14157215234", 7, True)


def test_a_column_whose_attribute_is_called_otherwise_is_read_by_both() -> None:
    row = parse_one(["name"], ["Ann"])

    assert row.name == row.name_ == row["name"] == "Ann"


class Tag(RowAction):
    """Tag numbers."""

    number = E164Column("Number.", mandatory=True)
    color = TextColumn("tag.color", "A tag with a column of its own.", max_length=5)
    tags = TextColumn("tag.*", "Any tag.", max_length=10)

    def process(self, row: Row, context: Context) -> Succeeded: ...


def test_an_open_column_takes_all_columns_that_begin_like_it() -> None:
    shape = RowShape(Tag, ["tag.b.c", "number", "tag.color", "tag.number"])

    (row,) = shape.parse_batch([["x", "+14157215234", "red", "y"]], 1)

    assert isinstance(row, Row)
    assert (row["tag.b.c"], row["tag.number"], row.number) == ("x", "y", "+14157215234")
    assert row.color == row["tag.color"] == "red"
    assert file_columns(row) == ["number", "tag.color", "tag.b.c", "tag.number"]


def test_each_cell_of_an_open_column_is_checked() -> None:
    shape = RowShape(Tag, ["tag.a", "tag.color", "tag.b"])

    (failed,) = shape.parse_batch([["12345678901", "brown!", "fine"]], 1)

    assert failures([failed]) == [
        "bad field(s) tag.a tag.color: longer than 10 characters; longer than 5 characters"
    ]


@pytest.mark.parametrize(
    "name", ["tag", "tag.", "tag..a", "tag.a.", "tag.*", "tags.a", "tag.a b", "tag.ä", "Tag.a",
             "tag" + ".a" * 9, "tag." + "a" * 51],
)  # fmt: skip
def test_what_does_not_fit_an_open_column_is_undeclared(name: str) -> None:
    declared = ["number", "tag.*"]

    assert find_undeclared(["tag.a", name, "number", "tag.A-1_b.c"], declared) == [name]


@pytest.mark.parametrize("cell", ["\u00a0", "\n", " \r", "\u3000 "])
def test_only_spaces_and_tabs_are_no_text(cell: str) -> None:
    rows = parse(["name"], [cell], [" \t"], ["a"])

    assert [row["name"] for row in rows if isinstance(row, Row)] == [cell, None, "a"]


def test_unset_cells_and_absent_columns_are_none() -> None:
    row = parse_one(["number", "count"], ["+14157215234", " "])

    assert row.count is None
    assert row.account_id is None
    assert row["account_id"] is None


def test_an_undeclared_column_is_a_key_error() -> None:
    row = parse_one(["number"], ["+14157215234"])

    with pytest.raises(KeyError):
        row["numbr"]
    with pytest.raises(AttributeError):
        row.numbr  # noqa: B018


def test_a_column_of_the_file_that_is_not_declared_is_passed_by() -> None:
    row = parse_one(["x", "number"], ["y", "+14157215234"])

    assert row.number == "+14157215234"
    assert file_columns(row) == ["number"]


def test_rows_know_their_number() -> None:
    rows = parse(["number"], ["+14157215234"], ["+14157215235"], first_number=41)

    assert [row_number(row) for row in rows] == [41, 42]  # type: ignore[arg-type]


def test_exactly_the_bad_rows_fail_naming_their_columns_in_file_order() -> None:
    rows = parse(
        ["cnam.inbound", "number", "account_id"],
        ["true", "+14157215234", ACCOUNT_ID],
        ["yes", "+14157215235", "x"],
        ["", "+14157215236", ""],
        ["true", "4157215237", ""],
    )

    assert failures(rows) == [
        None,
        (
            "bad field(s) cnam.inbound account_id: neither true nor false;"
            " not an account id: 32 lower-case hex characters,"
            " such as 009afc511c97b2ae693c6cc4920988e8"
        ),
        None,
        (
            "bad field(s) number: not E.164: + and 2 to 15 digits, the first not 0,"
            " such as +14157215234"
        ),
    ]
    assert rows[2].number == "+14157215236"  # type: ignore[union-attr]


def test_a_missing_mandatory_value_fails_its_row() -> None:
    rows = parse(["number", "count"], ["", "1"], ["+14157215234", "1"])

    assert failures(rows) == ["bad field(s) number: no value", None]


def test_a_missing_mandatory_column_does_not_fail_here_but_reads_as_none() -> None:
    assert parse_one(["count"], ["1"]).number is None


def test_an_empty_batch_has_no_rows() -> None:
    assert parse(["number"]) == []


def test_rows_of_six_columns_take_no_more_than_a_few_microseconds() -> None:
    """A smell test with room for slow machines; measured: 0.6 µs."""
    count = 2_000
    cells = [[f"+1415{n:07}", ACCOUNT_ID, "", "true"] for n in range(count)]
    shape = RowShape(Add, ["number", "account_id", "x", "cnam.inbound"])

    best = 1.0
    for _ in range(5):
        started = time.perf_counter()
        shape.parse_batch(cells, 1)
        best = min(best, time.perf_counter() - started)

    assert best / count < 15e-6


def test_output_adds_the_columns_and_the_error() -> None:
    shape = OutputShape(Add, ["number", "x"])

    assert shape.header == ["number", "x", "state", "new", "error"]
    assert shape.succeeded_cells({"state": "in_service", "new": True}) == ["in_service", "true", ""]
    assert shape.succeeded_cells(("in_service", False)) == ["in_service", "false", ""]
    assert shape.succeeded_cells({"new": False}) == ["", "false", ""]
    assert shape.succeeded_cells() == ["", "", ""]
    assert shape.failed_cells("why", ["+1415", "y"]) == ["", "", "why"]


class Update(Add):
    """Update numbers; the state is an input and an output."""

    state = TextColumn("State.")


def test_a_result_is_filled_in_where_the_file_has_its_column() -> None:
    shape = OutputShape(Update, ["number", "state", "count"])

    assert shape.header == ["number", "state", "count", "new", "error"]
    assert not shape.keeps_line
    cells = ["+1415", "", "7"]
    filled_in = ["+1415", "in_service", "7", "true", ""]
    assert shape.succeeded_cells({"state": "in_service", "new": True}, cells) == filled_in
    assert shape.succeeded_cells(("in_service", True), cells) == filled_in
    assert shape.failed_cells("why", cells) == ["+1415", "", "7", "", "why"]


def test_a_row_without_a_result_keeps_what_its_cell_said() -> None:
    shape = OutputShape(Update, ["number", "state"])
    cells = ["+1415", "reserved"]

    assert shape.succeeded_cells((), cells) == ["+1415", "reserved", "", ""]
    assert shape.succeeded_cells({"new": True}, cells) == ["+1415", "reserved", "true", ""]
    assert shape.failed_cells("why", cells) == ["+1415", "reserved", "", "why"]


@pytest.mark.parametrize("header", [["number", "state", "new", "error"], ["error", "number"]])
def test_an_output_that_comes_back_gets_new_results_and_shows_none_of_the_old(
    header: list[str],
) -> None:
    shape = OutputShape(Add, header)
    old = {"number": "+1415", "state": "old", "new": "false", "error": "old"}
    cells = [old[name] for name in header]

    assert shape.header == ["number", "state", "new", "error"]
    assert shape.succeeded_cells(("in_service", True), cells) == [
        "+1415", "in_service", "true", "",
    ]  # fmt: skip
    assert shape.succeeded_cells((), cells) == ["+1415", "", "", ""]
    assert shape.failed_cells("why", cells) == ["+1415", "", "", "why"]


def test_an_action_accepts_the_columns_that_it_writes_itself() -> None:
    assert accepted_columns(Add) == {
        "number": True,
        **dict.fromkeys(["account_id", "count", "cnam.inbound", "name"], False),
        **dict.fromkeys(["state", "new", "error"], False),
    }


class Count(PageAction):
    """Count."""

    output = [IntegerColumn("number", "Number."), TextColumn("word", "Word.")]

    def page(self, cursor: object, context: Context) -> Page: ...


def test_an_action_without_input_writes_no_error() -> None:
    shape = OutputShape(Count)

    assert shape.header == ["number", "word"]
    assert shape.succeeded_cells((1, "a")) == ["1", "a"]
    assert shape.succeeded_cells({"word": "a"}) == ["", "a"]
    assert shape.succeeded_cells(()) == ["", ""]


def test_a_replaced_header_is_exactly_the_output_and_the_error() -> None:
    shape = OutputShape(Find, ["count", "number"])

    assert shape.header == ["number", "state", "error"]
    assert shape.succeeded_cells(("+1415", "available")) == ["+1415", "available", ""]
    assert shape.failed_cells("why", ["1", "+1415"]) == ["+1415", "", "why"]
    assert shape.succeeded_cells((), ["1", "+1415"]) == ["+1415", "", ""]


def test_a_replaced_line_shows_no_cell_of_an_output_that_comes_back() -> None:
    shape = OutputShape(Find, ["number", "state", "error"])

    assert shape.header == ["number", "state", "error"]
    assert shape.failed_cells("why", ["+1415", "old", "old"]) == ["+1415", "", "why"]


@pytest.mark.parametrize("cells", [{"stat": "x"}, ("one",), ("one", True, "three")])
def test_output_that_is_not_declared_is_an_error(cells: object) -> None:
    with pytest.raises(UndeclaredOutput):
        OutputShape(Add, ["number"]).succeeded_cells(cells)  # type: ignore[arg-type]
