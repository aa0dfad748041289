"""Is docs/writing-a-category.md true? Its code runs unchanged."""

import inspect
import re
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from types import ModuleType

import pytest
from django.conf import settings
from django.core.management import call_command

from categories import columns, contract, registry
from categories.contract import Action, Category, Context, PageAction, RowAction
from categories.testing import assert_survives_crashes

TUTORIAL = Path(settings.BASE_DIR, "docs", "writing-a-category.md").read_text()
BLOCKS = dict(re.findall(r"```python\n# (\w+)\.py\n(.*?)```", TUTORIAL, re.DOTALL))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name, text in BLOCKS.items():
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in BLOCKS:
        sys.modules.pop(name, None)


def run_tests(module: ModuleType) -> int:
    """Call the module's tests; return how many there were."""
    tests = [value for name, value in vars(module).items() if name.startswith("test_")]
    for test in tests:
        test()
    return len(tests)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "count"), [("test_greetings", 1), ("test_crashes", 1), ("test_messages", 2)]
)
def test_its_tests_are_green(name: str, count: int, folder: Path) -> None:
    module = __import__(name)

    assert run_tests(module) == count


@pytest.mark.django_db
def test_its_commands_work(folder: Path) -> None:
    arguments = [line.split("#")[0].split()[2:] for line in TUTORIAL.splitlines()
                 if line.startswith("python manage.py")]  # fmt: skip
    out = StringIO()

    for command in arguments:
        call_command(*command, stdout=out)

    assert registry.get_action("greetings", "greet")[0].version == "1"
    assert "Registered greetings, version 1: greet." in out.getvalue()
    assert "Who is greeted." in out.getvalue()


def test_the_plugin_is_about_twenty_lines_of_code() -> None:
    code = re.sub(r'""".*?"""', "", BLOCKS["greetings"], flags=re.DOTALL)

    assert len([line for line in code.splitlines() if line.strip()]) <= 20


def words(heading: str) -> set[str]:
    """Return the words in the first column of the tables under a heading."""
    section = TUTORIAL.partition(f"### {heading}\n")[2].partition("\n## ")[0].partition("\n### ")[0]
    first_cells = re.findall(r"^\| `([^`]*)`", section, re.MULTILINE)
    return {re.split(r"\W", cell)[0] for cell in first_cells}


def declared(*classes: type) -> set[str]:
    """Return the public attributes of contract classes, without internal ones."""
    names = {name for class_ in classes for name in vars(class_) if not name.startswith("_")}
    return names - {"description", "doc", "columns", "find_kind_problems"}


def test_every_word_of_an_action_is_explained_and_no_other() -> None:
    assert words("Action") == declared(Action, RowAction, PageAction)


def test_every_argument_of_the_crash_kit_is_explained() -> None:
    section = TUTORIAL.partition("## Does it survive crashes?\n")[2].partition("\n### ")[0]
    explained = set(re.findall(r"`(\w+)`", section.partition("| argument |")[2]))

    arguments = set(inspect.signature(assert_survives_crashes).parameters)
    assert arguments - {"action", "rows"} <= explained


@pytest.mark.django_db
def test_the_failure_that_it_shows_is_what_the_crash_kit_says() -> None:
    class Number(RowAction):
        """Number words."""

        word = columns.TextColumn("A word.", mandatory=True)
        output = [columns.IntegerColumn("number", "Its number.")]
        effects = contract.Effects.NONE
        count = 0

        def process(self, row: contract.Row, context: Context) -> contract.Succeeded:
            self.count += 1
            return contract.Succeeded(number=self.count)

    with pytest.raises(AssertionError) as caught:
        assert_survives_crashes(Number, [{"word": word} for word in "abcd"], tables=[])

    assert str(caught.value) in TUTORIAL.replace("\n", " ")


def test_every_word_of_a_category_is_explained_and_no_other() -> None:
    assert words("Category") == declared(Category)


def test_every_type_of_column_is_explained_and_no_other() -> None:
    types = {
        name
        for name, value in vars(columns).items()
        if isinstance(value, type) and issubclass(value, columns.Column)
    }

    assert words("Rows") == types - {"Column", "WordsColumn", "BoundedColumn"}


def test_every_kind_of_effects_is_explained() -> None:
    assert words("Effects") == {effects.name for effects in contract.Effects}


@pytest.mark.parametrize("word", [*Context.__dataclass_fields__, "account", "auth_account"])
def test_everything_in_the_context_is_explained(word: str) -> None:
    section = TUTORIAL.partition("### Context\n")[2].partition("###")[0]

    assert re.search(rf"`{word}(\(\))?`", section)
