"""Does every wrong declaration get a sentence with file and line?"""

import functools
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest

from categories.columns import (
    ChoiceColumn,
    Column,
    CountryColumn,
    IntegerColumn,
    PatternColumn,
    TextColumn,
)
from categories.contract import (
    Category,
    CircuitBreaker,
    Context,
    Effects,
    Page,
    PageAction,
    PeriodicJob,
    Row,
    RowAction,
    Setting,
    Succeeded,
)
from categories.errors import BrokenDeclaration

WORD = TextColumn("word", "A word.")


def work(self: Any, row: Row, context: Context) -> None: ...


def work_batch(self: Any, rows: list[Row], context: Context) -> list[Any]:
    return []


def read(self: Any, cursor: Any, context: Context) -> Page:
    return Page([])


def run(due_at: datetime) -> None: ...


async def work_later(self: Any, row: Row, context: Context) -> None: ...


def generate(self: Any, row: Row, context: Context) -> Any:
    yield Succeeded()


async def generate_later(self: Any, row: Row, context: Context) -> Any:
    yield Succeeded()


ROWS: dict[str, Any] = {"__doc__": "Do something.", "word": WORD, "process": work}
PAGES: dict[str, Any] = {"__doc__": "Do something.", "output": [WORD], "page": read}
JOB = PeriodicJob("tidy", "day", run, "Tidy.")


def declare_rows(**members: Any) -> Any:
    return type("Declared", (RowAction,), {**ROWS, **members})


def declare_pages(**members: Any) -> Any:
    return type("Declared", (PageAction,), {**PAGES, **members})


Echo = declare_rows(name="echo")
GOOD_CATEGORY: dict[str, Any] = {
    "__doc__": "Tries things.", "name": "trial", "version": "1", "actions": [Echo],
}  # fmt: skip


def declare_category(**members: Any) -> Any:
    return type("Declared", (Category,), {**GOOD_CATEGORY, **members})


# ---- Types of attributes -------------------------------------------------------------------------

NAN, INFINITY = float("nan"), float("inf")
WRONG_TYPES: list[tuple[str, Any, str]] = [
    *(("ordered", value, "True or False") for value in ("no", 0, 1, None)),
    *(("idempotent", value, "True or False") for value in ("yes", 1)),
    *(("replaces_header", value, "True or False") for value in ("yes", 1)),
    *(("batch_size", value, "a whole number") for value in ("10", 1.5, True, None, NAN)),
    *(("batch_size", value, "more than 0") for value in (0, -1)),
    ("batch_size", 2**31, "at most 2,147,483,647"),
    *(("max_workers", value, "a whole number") for value in ("2", 2.0, False)),
    *(("max_attempts", value, "a whole number") for value in ("2", 2.5, None)),
    *(("retry_seconds", value, "a number") for value in ("60", True, NAN, INFINITY, None)),
    *(("row_seconds", value, "a number") for value in ("10", True, NAN, INFINITY, None)),
    *(("row_seconds", value, "more than 0") for value in (0, -1, 0.0)),
    ("row_seconds", 271, "at most 270"),
    *(("rows_per_second", value, "a number") for value in ("5", True, NAN, INFINITY)),
    *(("rows_per_second", value, "more than 0") for value in (0, -0.5)),
    *(("account_rows_per_second", value, "a number") for value in ("5", True, NAN)),
    *(("account_rows_per_second", value, "more than 0") for value in (0, -0.5)),
    *(("concurrency", value, "a whole number") for value in ("4", 4.0, True, None)),
    *(("concurrency", value, "more than 0") for value in (0, -1)),
    ("concurrency", 101, "at most 100"),
    *(("circuit_breaker", value, "a CircuitBreaker, or None") for value in (0.5, True, {})),
    *(("effects", value, "one of Effects.NONE, .*") for value in ("EXTERNAL", None, Effects)),
    *(("name", value, "text") for value in (5, None, b"add")),
    ("name", "n" * 101, "at most 100 characters"),
    *(("description", value, "text") for value in (5, None, ["Do."])),
    ("doc", 5, "text"),
    *(("output", value, "a list of columns") for value in (WORD, "word", None, {WORD}, iter([]))),
    *(("columns", value, "a list of columns") for value in (WORD, "word", None, 5)),
]


@pytest.mark.parametrize(("attribute", "value", "rule"), WRONG_TYPES)
def test_an_attribute_of_an_action_has_its_type(attribute: str, value: Any, rule: str) -> None:
    with pytest.raises(BrokenDeclaration, match=f"{attribute} must be {rule}, but is "):
        declare_rows(**{attribute: value})


def test_columns_that_are_not_in_a_list_are_told_so() -> None:
    with pytest.raises(BrokenDeclaration, match=r"output must be .*: put it in \[ \]"):
        declare_rows(output=WORD)


WRONG_IN_CATEGORY: list[tuple[str, Any, str]] = [
    *(("version", value, "version must be text") for value in (1, 1.0, None)),
    *(("version", value, "version is missing") for value in ("", " ")),
    ("version", "1" * 51, "version must be at most 50 characters"),
    *(("name", value, "name must be text") for value in (5, None)),
    *(("actions", value, "actions must be a list") for value in (Echo, None, {Echo}, "echo")),
    *(("actions", value, "is not an action") for value in ([Echo()], ["echo"], [TextColumn])),
    *(("periodic", value, "periodic must be a list") for value in (JOB, None, "tidy")),
    *(("periodic", value, "is not a PeriodicJob") for value in (["tidy"], [run], [None])),
    *(("settings", value, "settings must be a dict") for value in ([Setting(WORD)], None, "key")),
    ("settings", {"key": "text"}, "setting 'key' is not a Setting"),
    ("settings", {5: Setting(TextColumn("Help."))}, "setting 5 is not lower-case"),
    ("settings", {"key": Setting("Key")}, "setting 'key' needs a column"),  # type: ignore[arg-type]
    (
        "settings",
        {"key": Setting(TextColumn("Help."), secret="yes")},  # type: ignore[arg-type]
        "has secret='yes'",
    ),
]


@pytest.mark.parametrize(("attribute", "value", "why"), WRONG_IN_CATEGORY)
def test_an_attribute_of_a_category_has_its_type(attribute: str, value: Any, why: str) -> None:
    with pytest.raises(BrokenDeclaration, match=why):
        declare_category(**{attribute: value})


WRONG_JOBS: list[tuple[PeriodicJob, str]] = [
    (PeriodicJob(5, "day", run, "Tidy."), "name must be text"),  # type: ignore[arg-type]
    (PeriodicJob("", "day", run, "Tidy."), "must not be empty"),
    (PeriodicJob("tidy", "day", run, " "), "must not be empty"),
    (PeriodicJob("tidy", "day", run, None), "description must be text"),  # type: ignore[arg-type]
    (PeriodicJob("tidy", "day", "run", "Tidy."), "run must be a function"),  # type: ignore[arg-type]
    (PeriodicJob("tidy", "day", lambda: None, "Tidy."), r"called as run\(due_at\)"),  # type: ignore[arg-type,misc]
    (PeriodicJob("tidy", "weekly", run, "Tidy."), "every 'weekly'"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("job", "why"), WRONG_JOBS)
def test_a_job_that_could_not_run_is_refused_with_its_line(job: PeriodicJob, why: str) -> None:
    with pytest.raises(BrokenDeclaration, match=why) as caught:
        declare_category(periodic=[job])

    assert "PeriodicJob(" in line_of(caught.value) or "lambda" in line_of(caught.value)


@pytest.mark.parametrize(
    ("column", "why"),
    [
        (TextColumn("word", "Help.", mandatory="yes"), "mandatory must be True or False"),
        (TextColumn("word", 5), "help must be text"),  # type: ignore[arg-type]
        (TextColumn("word", "Help.", example=5), "example must be text"),
    ],
)
def test_an_attribute_of_a_column_has_its_type(column: Column[Any], why: str) -> None:
    with pytest.raises(BrokenDeclaration, match=why) as caught:
        declare_rows(columns=[column])

    assert "TextColumn(" in line_of(caught.value)


def test_a_column_type_of_the_authors_that_cannot_parse_its_example_is_refused() -> None:
    class Odd(Column[str]):
        def parse(self, text: str) -> str:
            raise ZeroDivisionError("odd")

    with pytest.raises(BrokenDeclaration, match="the example 'text' raises ZeroDivisionError: odd"):
        declare_rows(columns=[Odd("odd", "Help.")])


def test_two_columns_that_would_be_one_attribute_of_a_row_are_refused() -> None:
    columns = [TextColumn("cnam.inbound", "Help."), TextColumn("cnam_inbound", "Help.")]

    with pytest.raises(BrokenDeclaration, match=r"are both row\.cnam_inbound"):
        declare_rows(columns=columns)


# ---- Names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("effect", Effects.NONE, "effects"),
        ("efects", Effects.NONE, "effects"),
        ("outputs", [WORD], "output"),
        ("column", [WORD], "columns"),
        ("permited", work, "permitted"),
        ("proces", work, "process"),
        ("processBatch", work_batch, "process_batch"),
        ("process_batches", work_batch, "process_batch"),
        ("finished", work, "finish"),
        ("batchsize", 10, "batch_size"),
        ("row_second", 10, "row_seconds"),
        ("Ordered", False, "ordered"),
        ("idempotence", True, "idempotent"),
        ("finsh", property(lambda self: None), "finish"),
        ("permit_ted", staticmethod(work), "permitted"),
    ],
)
def test_a_misspelt_word_of_an_action_is_refused_with_the_right_one(
    name: str, value: Any, word: str
) -> None:
    with pytest.raises(BrokenDeclaration, match=rf"'{name}' is no .*: did you mean {word}\?$"):
        declare_rows(**{name: value})


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("action", [Echo], "actions"),
        ("verion", "1", "version"),
        ("setting", {}, "settings"),
        ("periodics", [JOB], "periodic"),
    ],
)
def test_a_misspelt_word_of_a_category_is_refused_with_the_right_one(
    name: str, value: Any, word: str
) -> None:
    with pytest.raises(BrokenDeclaration, match=rf"'{name}' is no .*: did you mean {word}\?$"):
        declare_category(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"), [("timeout", 5), ("retries", 3), ("fields", [WORD]), ("label", "Text")]
)
def test_any_other_attribute_that_nothing_reads_is_refused_too(name: str, value: Any) -> None:
    why = f"'{name}' is no word of the contract, and nothing reads it"

    with pytest.raises(BrokenDeclaration, match=why):
        declare_rows(**{name: value})
    with pytest.raises(BrokenDeclaration, match=why):
        declare_category(**{name: value})


def test_a_misspelt_word_in_an_abstract_class_or_mixin_is_refused_too() -> None:
    class Mixin:
        permited = work

    with pytest.raises(BrokenDeclaration, match="did you mean permitted"):
        type("Base", (RowAction,), {"permited": work}, abstract=True)  # type: ignore[call-overload]
    with pytest.raises(BrokenDeclaration, match="did you mean permitted"):
        type("Declared", (Mixin, RowAction), ROWS)


def test_what_is_the_authors_own_is_allowed() -> None:
    class Base(RowAction, abstract=True):
        """What the author's actions share."""

        table: str = ""
        order: ClassVar[tuple[str, ...]] = ()
        place = None
        columns_of = 5
        _limit = 5
        SIZE = 500

        class Inner:
            """A class of its own."""

        def look_up(self, number: str) -> str:
            return number

        @property
        def home(self) -> str:
            return self.table

        @functools.cached_property
        def words(self) -> list[str]:
            return [self.columns_of for _ in range(3) if self.place]

        outputs_of = 5

        def outputs(self) -> list[str]:
            return [*self.words, getattr(self, "outputs_of")]  # noqa: B009

        def finish(self, context: Context) -> None:
            self.outputs()

    class Derived(Base):
        """Do something."""

        word = TextColumn("A word.")
        table = "words"
        order = ("word",)
        process = work

    assert Derived.name == "derived"


@pytest.mark.parametrize(
    ("build", "word"),
    [
        (lambda: TextColumn("Help.", mandatry=True), "mandatory"),
        (lambda: TextColumn("Help.", max_lenght=5), "max_length"),
        (lambda: IntegerColumn("Help.", minimun=5), "minimum"),
        (lambda: PeriodicJob(name="tidy", evry="day", run=run, description="Tidy."), "every"),  # type: ignore[call-arg]
        (lambda: Setting(WORD, secrt=True), "secret"),  # type: ignore[call-arg]
        (lambda: CircuitBreaker(pause_second=5), "pause_seconds"),  # type: ignore[call-arg]
    ],
)
def test_a_misspelt_argument_is_refused_with_the_right_one_and_its_line(
    build: Callable[[], Any], word: str
) -> None:
    with pytest.raises(BrokenDeclaration, match=f": did you mean {word}?") as caught:
        build()

    assert "(lambda: " in line_of(caught.value)


@pytest.mark.parametrize(
    "build",
    [
        lambda: TextColumn(),
        lambda: TextColumn("a", "b", "c"),
        lambda: TextColumn("Help.", name=5),
        lambda: TextColumn("Help.", max_length="5"),  # type: ignore[arg-type]
        lambda: ChoiceColumn("Help.", choices=[]),
        lambda: ChoiceColumn("Help."),  # type: ignore[call-arg]
        lambda: PeriodicJob("tidy"),  # type: ignore[call-arg]
        lambda: Setting(),  # type: ignore[call-arg]
        lambda: CircuitBreaker(share=1.5),
        lambda: CircuitBreaker(min_calls=0),
        lambda: CircuitBreaker(window_seconds=NAN),
        lambda: CircuitBreaker(pause_seconds="5"),  # type: ignore[arg-type]
    ],
)
def test_any_other_wrong_argument_is_refused_with_its_line(build: Callable[[], Any]) -> None:
    with pytest.raises(BrokenDeclaration) as caught:
        build()

    assert "lambda: " in line_of(caught.value)


@pytest.mark.parametrize(
    ("build", "why"),
    [
        (lambda: TextColumn(), "the help is missing"),
        (lambda: ChoiceColumn("Help.", choices="en"), "choices must be a list of texts, .* 'en'"),
        (lambda: ChoiceColumn("Help.", choices=[1, 2]), "choices .* texts, but has 1"),  # type: ignore[list-item]
        (lambda: ChoiceColumn("Help.", choices=[]), "choices is empty"),
        (lambda: CountryColumn("Help.", also="XK"), "also must be a list of texts, but is 'XK'"),
        (lambda: PatternColumn("Help."), "pattern is missing"),
        (lambda: PatternColumn("Help.", pattern="[a"), r"the pattern '\[a' is wrong: unterm"),
    ],
)
def test_a_wrong_argument_of_a_column_is_told_in_words(build: Callable[[], Any], why: str) -> None:
    with pytest.raises(BrokenDeclaration, match=why):
        build()


def test_names_that_are_missing_are_said_to_be_missing() -> None:
    with pytest.raises(BrokenDeclaration, match="the name is missing"):
        declare_category(name="")
    with pytest.raises(
        BrokenDeclaration,
        match=r'the output column has no name: write TextColumn\("name", "Help\."\)',
    ):
        declare_rows(output=[TextColumn("Help.")])


def test_a_type_of_column_that_was_not_called_is_refused() -> None:
    with pytest.raises(BrokenDeclaration, match=r"person is a type of column: call it, TextColumn"):
        declare_rows(person=TextColumn)


def test_a_method_without_self_is_told_so() -> None:
    with pytest.raises(BrokenDeclaration, match=r"it is process\(row, context\), without self"):
        declare_rows(process=lambda row, context: None)
    with pytest.raises(BrokenDeclaration, match=r"it is process\(self, row\)\.?$"):
        declare_rows(process=lambda self, row: None)


def test_a_misspelt_argument_of_the_class_is_refused_with_the_right_one() -> None:
    with pytest.raises(BrokenDeclaration, match="called 'abstrakt': did you mean abstract"):
        type("Base", (RowAction,), {}, abstrakt=True)  # type: ignore[call-overload]


def test_an_argument_that_a_base_of_the_authors_takes_is_allowed() -> None:
    class Base(RowAction, abstract=True):
        def __init_subclass__(cls, *, table: str = "", **options: Any) -> None:
            super().__init_subclass__(**options)

    class Derived(Base, abstract=True, table="words"):
        pass

    assert Derived.abstract


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("abstract", "abstract is an argument: class"),
        ("takes_input", "takes_input is set by RowAction and PageAction"),
    ],
)
def test_what_the_bases_set_is_not_written_into_the_class(word: str, why: str) -> None:
    with pytest.raises(BrokenDeclaration, match=why):
        declare_rows(**{word: True})


# ---- Methods -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "value", "why"),
    [
        ("process", lambda self, row: None, r"cannot be called as process\(row, context\)"),
        ("process", lambda: None, "cannot be called as process"),
        ("process", lambda self, row, context, more: None, "cannot be called as process"),
        ("process", lambda self, row, *, context: None, "cannot be called as process"),
        ("process", 5, "process must be a method, but is 5"),
        ("process", work_later, "process is async"),
        ("process", generate, "process is a generator"),
        ("process", generate_later, "process is an asynchronous generator"),
        ("process_batch", lambda self, rows: None, r"called as process_batch\(rows, context\)"),
        ("process_batch", generate, "process_batch is a generator"),
        ("permitted", lambda self: None, r"cannot be called as permitted\(context\)"),
        ("permitted", work_later, "permitted is async"),
        ("finish", lambda: None, r"cannot be called as finish\(context\)"),
        ("finish", staticmethod(lambda: None), r"cannot be called as finish\(context\)"),
        ("finish", None, "finish must be a method"),
        ("__init__", lambda self, client: None, r"cannot be called as __init__\(\)"),
    ],
)
def test_a_method_that_the_engine_could_not_call_is_refused(
    method: str, value: Any, why: str
) -> None:
    with pytest.raises(BrokenDeclaration, match=why):
        declare_rows(**{method: value})


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (lambda self, cursor: None, r"cannot be called as page\(cursor, context\)"),
        (generate, "page is a generator"),
    ],
)
def test_a_page_that_the_engine_could_not_call_is_refused(value: Any, why: str) -> None:
    with pytest.raises(BrokenDeclaration, match=why):
        declare_pages(page=value)


def test_the_line_of_a_wrong_method_is_that_of_the_method() -> None:
    def process(self: Any, row: Row) -> None: ...  # this line

    with pytest.raises(BrokenDeclaration) as caught:
        declare_rows(process=process)

    assert "# this line" in line_of(caught.value)


def test_a_method_may_have_other_names_defaults_and_decorators_for_its_arguments() -> None:
    def log(function: Any) -> Any:
        @functools.wraps(function)
        def wrapper(*arguments: Any, **options: Any) -> Any:
            return function(*arguments, **options)

        return wrapper

    for process in (
        lambda self, record, task: None,
        lambda self, *arguments: None,
        lambda self, row, context, more=None: None,
        classmethod(lambda cls, row, context: None),
        staticmethod(lambda row, context: None),
        log(work),
    ):
        assert declare_rows(process=process)


# ---- Words that would say nothing ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ({"page": read}, "page is a word about actions without input only"),
        ({"idempotent": True}, "idempotent is a word about EXTERNAL effects only"),
        ({"max_attempts": 3}, "max_attempts is a word about idempotent actions only"),
        ({"retry_seconds": 60}, "retry_seconds is a word about EXTERNAL effects only"),
        ({"concurrency": 4}, "concurrency is a word about EXTERNAL effects only"),
        ({"circuit_breaker": None}, "circuit_breaker is a word about EXTERNAL effects only"),
        ({"effects": Effects.EXTERNAL, "concurrency": 4}, "concurrency is .* ordered = False"),
        (
            {"effects": Effects.EXTERNAL, "max_attempts": 3},
            "max_attempts is a word about idempotent actions only",
        ),
        (
            {"effects": Effects.EXTERNAL, "process_batch": work_batch},
            "process_batch is never called: rows with EXTERNAL effects are sent one at a time",
        ),
    ],
)
def test_a_word_that_says_nothing_about_rows_is_refused(members: dict[str, Any], why: str) -> None:
    with pytest.raises(BrokenDeclaration, match=why):
        declare_rows(**members)


@pytest.mark.parametrize(
    "members",
    [
        {"process": work},
        {"process_batch": work_batch},
        {"batch_size": 5},
        {"ordered": True},
        {"max_workers": 2},
        {"rows_per_second": 5.0},
        {"account_rows_per_second": 5.0},
        {"replaces_header": True},
    ],
)
def test_a_word_about_rows_is_refused_for_pages(members: dict[str, Any]) -> None:
    (word,) = members

    with pytest.raises(BrokenDeclaration, match=f"{word} is a word about actions with input only"):
        declare_pages(**members)


def test_a_word_may_say_what_is_so_anyway() -> None:
    assert declare_rows(idempotent=False, max_workers=None, rows_per_second=None)
    assert declare_rows(process_batch=work_batch)  # beside process, which it may use
    assert declare_rows(effects=Effects.EXTERNAL, idempotent=True, max_attempts=2, retry_seconds=5)


def test_all_wrong_words_are_reported_at_once() -> None:
    with pytest.raises(BrokenDeclaration) as caught:
        declare_rows(effect=Effects.NONE, ordered="no", permitted=5)

    assert len(caught.value.problems) == 3


def line_of(error: BrokenDeclaration) -> str:
    """Return the text of the line that an error names."""
    assert f"{error.file}:{error.line}: " in str(error)
    return Path(error.file).read_text().splitlines()[error.line - 1]
