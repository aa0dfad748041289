"""Does one declaration change everything that explains an action? One column more shows it."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from categories import registry
from categories.columns import MoneyColumn, TextColumn
from categories.contract import Category, Context, Row, RowAction
from categories.models import RegisteredCategory
from tests.factories import TaskFactory

pytestmark = pytest.mark.django_db


class Pay(RowAction):
    """Pay people.

    Each at once.
    """

    person = TextColumn("Who is paid.", mandatory=True, example="Ann")
    errors = ("{person} is unknown",)

    def process(self, row: Row, context: Context) -> None:
        """Do nothing."""


class PayMore(Pay):
    """Pay people.

    Each at once.
    """

    name = "pay"
    amount = MoneyColumn("How much.", minimum=0, example="12.50")
    errors = (*Pay.errors, "too much for {person}")


def category_of(action: type[RowAction]) -> type[Category]:
    declared = {"__doc__": "Money.", "name": "money", "version": "1", "actions": [action]}
    return type("Money", (Category,), declared)


def get(accept: str) -> Any:
    path = "/v2/tasks?category=money&action=pay"
    return Client().get(path, headers={"Accept": accept})


def read_help(key: str) -> Any:
    return get("*/*").json()["data"]["tasks"]["pay"][key]


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("list_categories", "money", *arguments, stdout=out)
    return out.getvalue()


def read_admin(name: str, pk: object) -> str:
    client = Client()
    user, _ = User.objects.get_or_create(username="ann", is_staff=True, is_superuser=True)
    client.force_login(user)
    return client.get(reverse(f"admin:{name}_change", args=[pk])).content.decode()


def read_task_page() -> str:
    task = TaskFactory.create(category="money", action="pay", category_version="1")
    return read_admin("tasks_app_task", task.pk)


def read_category_page() -> str:
    record, _ = RegisteredCategory.objects.get_or_create(
        name="money", defaults={"version": "1", "checked_at": "2026-01-01T00:00:00Z"}
    )
    return read_admin("categories_registeredcategory", record.pk)


IN_ADMIN = "<td>How much.</td><td><code>12.50</code></td>"
# where an action is explained, and what stands there about the column `amount`
PLACES: dict[str, tuple[Callable[[], Any], str]] = {
    "help": (lambda: read_help("columns"), "'rule': 'an amount of at most 16 digits"),
    "optional columns": (lambda: read_help("optional"), "['amount']"),
    "schema": (lambda: read_help("schema"), "'amount': {'description': 'How much.'"),
    "errors": (lambda: read_help("errors"), "'too much for {person}'"),
    "template": (lambda: get("text/csv").content.decode(), "person,amount\nAnn,12.50\n"),
    "listing": (lambda: run("pay"), "optional   How much.\n"),
    "errors, listed": (lambda: run("pay"), "too much for {person}\n"),
    "docs page": (lambda: run("--markdown"), "| `amount` |  | How much. | an amount of"),
    "errors, docs page": (lambda: run("--markdown"), "* `too much for {person}`\n"),
    "admin, task": (read_task_page, IN_ADMIN),
    "errors, admin": (read_task_page, "<li>too much for {person}</li>"),
    "admin, category": (read_category_page, IN_ADMIN),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_column_more_is_explained_everywhere(place: str) -> None:
    read, expected = PLACES[place]

    with registry.registered(category_of(Pay)):
        before = str(read())
    with registry.registered(category_of(PayMore)):
        after = str(read())

    assert expected not in before
    assert expected in after
