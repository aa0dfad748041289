import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from pytest_django import Settings

from categories.columns import TextColumn
from categories.contract import Category, Context, Row, RowAction
from categories.registry.checks import check_categories, check_category
from tests.integration.categories.conftest import PLUGIN, Write


def test_the_categories_that_ship_are_right() -> None:
    assert run_checks(tags=["categories"]) == []


def test_a_broken_category_stops_start_up(write_plugin: Write, settings: Settings) -> None:
    settings.PISTON_CATEGORIES = [write_plugin(text=PLUGIN.replace("mandatory", "mandatry"))]

    with pytest.raises(SystemCheckError, match="mandatry"):
        call_command("check")


def test_two_categories_of_one_name_are_an_error(write_plugin: Write, settings: Settings) -> None:
    settings.PISTON_CATEGORIES = [write_plugin(), write_plugin("second_plugin")]

    (message,) = check_categories()

    assert message.msg == "2 categories are called 'echo'."


def test_what_was_spoilt_after_its_declaration_is_found_with_its_line() -> None:
    class Echo(RowAction):
        """Say it again."""

        word = TextColumn("What to say.")

        def process(self, row: Row, context: Context) -> None: ...

    class Spoilt(Category):
        """Says things again."""

        name = "spoilt"
        version = "1"
        actions = [Echo]

    Echo.columns = [TextColumn("word", "")]  # this line

    (message,) = check_category(Spoilt)

    assert __file__ in message.msg
    assert message.msg.endswith("Echo: column 'word': the help is missing.")


WITH_KEY = PLUGIN.replace("Effects, RowAction,", "Effects, RowAction, Setting,").replace(
    "    actions = [Echo]",
    '    actions = [Echo]\n    settings = {"api_key": Setting(TextColumn("Key."), secret=True)}',
)


def test_a_missing_setting_of_a_category_that_ships_stops_start_up(
    write_plugin: Write, settings: Settings
) -> None:
    settings.PISTON_CATEGORIES = [write_plugin(text=WITH_KEY)]

    with pytest.raises(
        SystemCheckError, match="PISTON_ECHO_API_KEY is not set for this process: Key"
    ):
        call_command("check")


def test_a_misspelt_variable_is_a_warning_with_the_nearest_name(
    write_plugin: Write, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PISTON_CATEGORIES = [write_plugin(text=WITH_KEY)]
    monkeypatch.setenv("PISTON_ECHO_API_KEY", "k")
    monkeypatch.setenv("PISTON_ECHO_APIKEY", "k")

    (message,) = check_categories()

    assert message.id == "categories.W001"
    assert message.msg.endswith("did you mean PISTON_ECHO_API_KEY?")
