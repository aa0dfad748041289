from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError

from categories import registry
from categories.contract.docs_page import write_page
from categories.models import RegisteredCategory
from tests.integration.categories.conftest import Write

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_a_category_is_registered_and_says_what_it_offers(write_plugin: Write) -> None:
    printed = run("register_category", write_plugin())

    assert "Registered echo, version 1: echo." in printed
    assert RegisteredCategory.objects.get(name="echo").registered_by


def test_what_is_wrong_is_one_sentence() -> None:
    with pytest.raises(CommandError, match="ModuleNotFoundError: No module named 'nothing'"):
        run("register_category", "nothing.Here")
    with pytest.raises(CommandError, match="There is no category 'nothing'"):
        run("unregister_category", "nothing")
    with pytest.raises(CommandError, match="has no action 'x'"):
        run("list_categories", "services", "x")


def test_a_category_is_unregistered(write_plugin: Write) -> None:
    run("register_category", write_plugin())

    run("unregister_category", "echo")

    assert "echo" not in run("list_categories")


def test_all_categories_are_listed_with_their_actions() -> None:
    printed = run("list_categories")

    assert "number_management 2 (enabled; ships with the product)" in printed
    assert "add, import, list" in printed


def test_a_broken_category_is_listed_with_its_problem(write_plugin: Write) -> None:
    RegisteredCategory.objects.create(
        name="lost", dotted_path="lost_plugin.Plugin", version="1",
        checked_at="2026-01-01T00:00:00Z",
    )  # fmt: skip

    printed = run("list_categories")

    assert "lost (broken; registered by command)" in printed
    assert "No module named 'lost_plugin'" in printed


def test_a_categorys_actions_and_jobs_are_listed() -> None:
    printed = run("list_categories", "services")

    assert "descendant_quantities" in printed
    assert "every day: take_quantities" in printed


def test_an_actions_columns_are_listed_with_their_rules() -> None:
    printed = run("list_categories", "number_management", "add")

    assert "Create numbers and assign them to accounts." in printed
    assert "number                   mandatory  Number to add." in printed
    assert "E.164: + and 2 to 15 digits, the first not 0; for example +14157215234" in printed
    assert "Output: the input's columns, state, error" in printed


def test_an_action_without_input_says_so() -> None:
    printed = run("list_categories", "number_management", "list")

    assert "Input: none" in printed
    assert "Output: e164, account_name" in printed


def test_the_docs_page_of_the_categories_that_ship_is_what_they_declare() -> None:
    shipped = [
        each for each in registry.all_categories() if each.__module__.startswith("categories.")
    ]

    page = Path(settings.BASE_DIR, "docs", "categories.md").read_text()

    assert page == write_page(shipped), "`manage.py list_categories --markdown` writes it"


def test_the_docs_page_can_be_of_one_category(write_plugin: Write) -> None:
    run("register_category", write_plugin())

    page = run("list_categories", "echo", "--markdown")

    assert "### echo echo\n" in page
    assert "| `word` | yes | What to say. | any text | `text` |\n" in page
    assert "## rates" not in page
