"""Is docs/writing-a-category.md true? Its code runs unchanged, its tables name every word."""

import inspect
import re
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from categories import columns, contract
from categories.contract import Action, Category, Context, PageAction, RowAction
from categories.testing import assert_survives_crashes
from tests import tutorial
from tests.tutorial import PAGE

NEW_FILES = {
    path: text for path, text in tutorial.read_files().items() if "test_contacts" not in path
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder in which an author has all files of the tutorial."""
    monkeypatch.chdir(tmp_path)
    call_command("startcategory", "contacts", stdout=StringIO())
    (tmp_path / "contacts/test_contacts.py").unlink()
    for path, text in NEW_FILES.items():
        (tmp_path / path).write_text(text)
    return tmp_path


def test_its_tests_are_green(folder: Path) -> None:
    manage = (sys.executable, tutorial.ROOT / "manage.py")
    variables = {
        "PYTHONPATH": str(folder),
        "PISTON_APPS": "contacts",
        "PISTON_DATA_DIR": str(folder / "data"),
    }

    made = tutorial.run(*manage, "makemigrations", "contacts", cwd=folder, **variables)
    tested = tutorial.run(sys.executable, "-m", "pytest", "contacts", cwd=folder)

    assert made.returncode == 0, made.stdout + made.stderr
    assert "6 passed" in tested.stdout, tested.stdout + tested.stderr


def test_the_first_plugin_is_about_twenty_lines_of_code() -> None:
    first = re.search(
        r"^# contacts/category.py\n(.*?)^```", tutorial.TUTORIAL, re.DOTALL | re.MULTILINE
    )
    assert first
    code = re.sub(r'""".*?"""', "", first[1], flags=re.DOTALL)

    assert len([line for line in code.splitlines() if line.strip()]) <= 20


def words(heading: str) -> set[str]:
    """Return the words in the first column of the tables under a heading."""
    section = PAGE.partition(f"### {heading}\n")[2].partition("\n## ")[0].partition("\n### ")[0]
    first_cells = re.findall(r"^\| `([^`]*)`", section, re.MULTILINE)
    return {re.split(r"\W", cell)[0] for cell in first_cells}


def declared(*classes: type) -> set[str]:
    """Return the public attributes of contract classes, without internal ones."""
    names = {name for class_ in classes for name in vars(class_) if not name.startswith("_")}
    return names - {"description", "doc", "columns", "find_kind_problems"}


def test_every_word_of_an_action_is_explained_and_no_other() -> None:
    assert words("Action") == declared(Action, RowAction, PageAction)


def test_every_argument_of_the_crash_kit_is_explained() -> None:
    section = PAGE.partition("## Does it survive crashes?\n")[2].partition("\n### ")[0]
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

    assert str(caught.value) in PAGE.replace("\n", " ")


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
    section = PAGE.partition("### Context\n")[2].partition("###")[0]

    assert re.search(rf"`{word}(\(\))?`", section)
