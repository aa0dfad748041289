from pathlib import Path
from typing import Any

import pytest

from categories.columns import E164Column, IntegerColumn, TextColumn
from categories.contract import (
    Action,
    Category,
    Context,
    Effects,
    Page,
    PageAction,
    PeriodicJob,
    Row,
    RowAction,
    RowFailed,
    Succeeded,
)
from categories.contract.rows import RowShape
from categories.errors import BrokenDeclaration


class Echo(RowAction):
    """Say it again.

    Twice, if need be.
    """

    word = TextColumn("What to say.", mandatory=True)
    times = IntegerColumn("How often.")
    output = [TextColumn("said", "What was said.")]

    def process(self, row: Row, context: Context) -> Succeeded | None:
        if row.word == "shh":
            raise RowFailed("it is a secret")
        return None if row.times is None else Succeeded(said=row.word * row.times)


def declare(bases: tuple[type, ...], **members: Any) -> Any:
    return type("Declared", bases, {"__doc__": "Do something.", **members})


def work(self: Any, row: Row, context: Context) -> None: ...


def read(self: Any, cursor: Any, context: Context) -> Page:
    return Page([])


WORD = TextColumn("word", "A word.")
ROW_ACTION: dict[str, Any] = {"columns": [WORD], "process": work}

BROKEN_ACTIONS: list[tuple[type[Action], dict[str, Any], str]] = [
    (RowAction, {**ROW_ACTION, "__doc__": None}, "docstring is missing"),
    (RowAction, {**ROW_ACTION, "name": "Add"}, "not lower-case"),
    (RowAction, {**ROW_ACTION, "name": "add-it"}, "not lower-case"),
    (RowAction, {"process": work}, "at least one column"),
    (RowAction, {"columns": [WORD]}, "neither process nor process_batch"),
    (RowAction, {**ROW_ACTION, "columns": [TextColumn("Word", "Help.")]}, "'Word': the name"),
    (RowAction, {**ROW_ACTION, "columns": [TextColumn("word", " ")]}, "the help is missing"),
    (RowAction, {**ROW_ACTION, "columns": [TextColumn("error", "Help.")]}, "every output ends"),
    (RowAction, {**ROW_ACTION, "number": E164Column("Help.", example="12")}, "example '12' is not"),
    (RowAction, {**ROW_ACTION, "output": [WORD, WORD]}, "'word' is declared 2 times"),
    (RowAction, {**ROW_ACTION, "output": ["word"]}, "'word' is not a column"),
    (RowAction, {**ROW_ACTION, "output": [TextColumn("error", "Help.")]}, "every output ends"),
    (RowAction, {**ROW_ACTION, "output": [TextColumn("tag.*", "Help.")]}, "'tag.*': the name"),
    (RowAction, {**ROW_ACTION, "tags": TextColumn("tag*", "Help.")}, "'tag.': the name"),
    (
        RowAction,
        {**ROW_ACTION, "tags": TextColumn("tag.*", "Help.", mandatory=True)},
        "an open column is never mandatory",
    ),
    (RowAction, {**ROW_ACTION, "idempotent": True}, "EXTERNAL"),
    (RowAction, {**ROW_ACTION, "effects": "EXTERNAL"}, "must be one of Effects.NONE"),
    (RowAction, {**ROW_ACTION, "batch_size": 0}, "batch_size must be more than 0"),
    (RowAction, {**ROW_ACTION, "rows_per_second": -1.0}, "rows_per_second must be"),
    (RowAction, {**ROW_ACTION, "name": WORD}, "'name' is a word of the contract"),
    (RowAction, {**ROW_ACTION, "doc": WORD}, "'doc' is a word of the contract"),
    (PageAction, {"output": [WORD]}, "page is not there"),
    (PageAction, {"page": read}, "declares its output"),
    (PageAction, {"page": read, "output": [WORD], "columns": [WORD]}, "declares no columns"),
    (PageAction, {"page": read, "output": [WORD], "effects": Effects.EXTERNAL}, "not journaled"),
    (
        RowAction,
        {"word": WORD, "process_batch": read, "effects": Effects.EXTERNAL},
        "has process: its rows are sent one at a time",
    ),
    (Action, {}, "neither a RowAction nor a PageAction"),
]


@pytest.mark.parametrize(("base", "members", "why"), BROKEN_ACTIONS)
def test_a_broken_action_is_refused_when_it_is_declared(
    base: type[Action], members: dict[str, Any], why: str
) -> None:
    with pytest.raises(BrokenDeclaration, match=why):
        declare((base,), **members)


def test_the_error_names_file_and_line_of_the_declaration() -> None:
    with pytest.raises(BrokenDeclaration) as caught:

        class Silent(RowAction):  # this line
            word = TextColumn("What to say.")

            def process(self, row: Row, context: Context) -> None: ...

    line = Path(__file__).read_text().splitlines()[caught.value.line - 1]
    assert caught.value.file == __file__
    assert "# this line" in line
    assert f"{__file__}:{caught.value.line}: " in str(caught.value)


def test_the_error_names_the_line_of_a_bad_column() -> None:
    with pytest.raises(BrokenDeclaration) as caught:

        class Silent(RowAction):
            """Do something."""

            number = E164Column("Help.", example="12")  # this line

            def process(self, row: Row, context: Context) -> None: ...

    line = Path(__file__).read_text().splitlines()[caught.value.line - 1]
    assert "# this line" in line


def test_all_problems_are_reported_at_once() -> None:
    with pytest.raises(BrokenDeclaration) as caught:
        declare((RowAction,), __doc__=None, name="X")

    assert len(caught.value.problems) == 4


def test_the_docstring_is_description_and_doc() -> None:
    assert Echo.description == "Say it again."
    assert Echo.doc == "Twice, if need be."


def test_a_docstring_of_one_line_is_the_doc_as_well() -> None:
    action = declare((RowAction,), **ROW_ACTION)

    assert action.doc == action.description == "Do something."


def test_a_doc_that_is_given_stays_as_it_is() -> None:
    action = declare((RowAction,), **ROW_ACTION, doc="Line.\nLine.\n")

    assert action.doc == "Line.\nLine.\n"


@pytest.mark.parametrize(
    ("class_name", "name"), [("Add", "add"), ("ListAll", "list_all"), ("Dump2", "dump2")]
)
def test_an_action_is_named_after_its_class(class_name: str, name: str) -> None:
    action = type(class_name, (RowAction,), {"__doc__": "Do something.", **ROW_ACTION})

    assert action.name == name  # type: ignore[attr-defined]


def test_columns_are_collected_in_order_of_declaration() -> None:
    class Base(RowAction, abstract=True):
        first = TextColumn("Help.")
        second = TextColumn("Help.")

    class Derived(Base):
        """Do something."""

        third = TextColumn("Help.")
        columns = [TextColumn("four.th", "Help.")]
        first = TextColumn("Again.", mandatory=True)
        fifth = TextColumn("Help.")
        process = work

    assert [column.name for column in Derived.columns] == [
        "first", "second", "third", "four.th", "fifth",
    ]  # fmt: skip
    assert Derived.columns[0].help == "Again."


def test_an_abstract_class_may_be_incomplete() -> None:
    class Base(RowAction, abstract=True):
        effects = Effects.NONE

    assert Base.abstract


def test_the_class_below_an_abstract_one_has_to_be_complete() -> None:
    class Base(RowAction, abstract=True):
        effects = Effects.NONE

    with pytest.raises(BrokenDeclaration):
        declare((Base,))


def test_a_batch_is_worked_off_row_by_row_unless_the_action_does_otherwise() -> None:
    rows = RowShape(Echo, ["word", "times"]).parse_batch([["a", "2"], ["shh", "1"], ["b", ""]], 1)

    outcomes = Echo().process_batch(rows, make_context())  # type: ignore[arg-type]

    assert [getattr(outcome, "rows", str(outcome)) for outcome in outcomes] == [
        ({"said": "aa"},),
        "it is a secret",
        (),
    ]


def test_a_success_has_no_row_one_or_several() -> None:
    assert Succeeded().rows == ()
    assert Succeeded(state="x").rows == ({"state": "x"},)
    assert Succeeded({"cnam.inbound": True}).rows == ({"cnam.inbound": True},)
    assert Succeeded(("a", "b")).rows == (("a", "b"),)
    assert Succeeded.many([{"a": 1}, {"a": 2}]).rows == ({"a": 1}, {"a": 2})


BROKEN_CATEGORIES: list[tuple[dict[str, Any], str]] = [
    ({"name": "Trial"}, "not lower-case"),
    ({"__doc__": ""}, "docstring is missing"),
    ({"version": ""}, "version is missing"),
    ({"actions": []}, "no actions"),
    ({"actions": [Echo, Echo]}, "'echo' is the name of 2"),
    ({"actions": ["echo"]}, "is not an action"),
    ({"actions": [RowAction]}, "is not an action"),
    ({"continues": ["0"]}, r"continues must be a tuple of versions, .* but is \['0'\]"),
    ({"continues": "0"}, "continues must be a tuple"),
    ({"continues": ("0", "")}, "continues must be a tuple"),
    ({"continues": (0,)}, "continues must be a tuple"),
    ({"continues": ("0", "1")}, r"names older versions, not its own \('1'\)"),
    ({"periodic": [PeriodicJob("tidy", "week", print, "Tidy.")]}, "every 'week'"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("members", "why"), BROKEN_CATEGORIES)
def test_a_broken_category_is_refused_when_it_is_declared(
    members: dict[str, Any], why: str
) -> None:
    good = {"name": "trial", "version": "1", "actions": [Echo]}

    with pytest.raises(BrokenDeclaration, match=why):
        declare((Category,), **{**good, **members})


def make_context() -> Context:
    return Context(account_id="a" * 32, auth_account_id="a" * 32, task_id="b" * 30)
