"""Do running processes follow when packages of plugins come, change and go?"""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.acceptance.installation import Client
from tests.acceptance.plugin_packages import Environment, PluginInstallation
from tests.servers import family, wait_until

pytestmark = pytest.mark.acceptance

SECONDS = 10  # until every process has followed by itself
ENTRY_POINT = "greetings = greetings.category:Greetings"
CATEGORY = '''
"""What can be done with names?"""

import os

from categories.columns import TextColumn
from categories.contract import Category, Effects, RowAction, Succeeded

from greetings.words import WORD

if os.environ.get("GREETINGS_BREAK"):
    raise ValueError("told to break")


class Greet(RowAction):
    """Greet people by their names."""

    person = TextColumn("Who is greeted.", mandatory=True, example="Ann")
    # more columns
    output = [TextColumn("greeting", "What was said.")]
    effects = Effects.NONE

    def process(self, row, context):
        from greetings.late import MARK

        return Succeeded(greeting=f"{WORD} {row.person}{MARK}")


class Greetings(Category):
    """Friendly words."""

    name = "greetings"
    version = "1"
    actions = [Greet]
'''
FIRST = {
    "greetings/__init__.py": "",
    "greetings/category.py": CATEGORY,
    "greetings/words.py": 'WORD = "Hello"\n',
    "greetings/late.py": 'MARK = "!"\n',
}
SECOND = {
    "greetings/__init__.py": "",
    "greetings/category.py": CATEGORY.replace('version = "1"', 'version = "2"').replace(
        "# more columns", 'title = TextColumn("Before the name.")'
    ),
    "greetings/words.py": 'WORD = "Salve"\n',  # of the same size
    "greetings/late.py": 'MARK = "?"\n',
}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(tmp_path_factory.mktemp("environment"))


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, environment: Environment
) -> Iterator[PluginInstallation]:
    with PluginInstallation(tmp_path_factory.mktemp("running"), environment) as installation:
        yield installation


@pytest.fixture
def client(running: PluginInstallation) -> Client:
    return Client(running)


def help_of(running: PluginInstallation, category: str, action: str) -> dict[str, Any] | None:
    """Return the help of an action; None if the web process does not offer it."""
    query = {"category": category, "action": action}
    answer = requests.get(f"{running.url}/v2/tasks", params=query, timeout=30)
    tasks: dict[str, Any] = answer.json()["data"].get("tasks", {})
    return tasks.get(action)


def said(client: Client, content: str) -> list[str]:
    """Run a task, and return the lines of its output without the header."""
    task_id = client.upload(content.encode(), category="greetings", action="greet")
    client.call("PATCH", task_id)
    task = client.wait_for_end(task_id)
    assert task["status"] == "success", task
    return client.download(task_id, "out.csv").decode().splitlines()[1:]


def test_a_package_comes_is_upgraded_unregistered_and_goes_without_a_restart(
    running: PluginInstallation, environment: Environment, client: Client
) -> None:
    environment.install("greetings", "1", FIRST, ENTRY_POINT)
    first = running.manage("register_category", "greetings")

    assert (
        len(
            re.findall(r"^  (?:web|worker) piston@\S+ process \d+: version 1$", first, re.MULTILINE)
        )
        == 3
    )
    assert (help_of(running, "greetings", "greet") or {})["optional"] == []
    assert [said(client, "person\nAnn\n") for _ in range(4)] == 4 * [["Ann,Hello Ann!,"]]

    environment.install("greetings", "2", SECOND, ENTRY_POINT)
    second = running.manage("register_category", "greetings.category.Greetings")

    assert second.count("version 2") == 1 + 3
    assert (help_of(running, "greetings", "greet") or {})["optional"] == ["title"]
    assert [said(client, "person,title\nAnn,Dr\n") for _ in range(4)] == 4 * [
        ["Ann,Dr,Salve Ann?,"]
    ]

    running.manage("unregister_category", "greetings")
    running.manage("migrate")

    assert help_of(running, "greetings", "greet") is None
    assert "greetings" not in running.manage("list_categories")

    running.manage("register_category", "greetings")

    assert said(client, "person\nBen\n") == ["Ben,Salve Ben?,"]

    environment.uninstall("greetings")

    wait_until(lambda: help_of(running, "greetings", "greet") is None, seconds=SECONDS)
    assert "no installed package announces it" in running.manage("list_categories")
    assert running.manage("unregister_category", "greetings").count("no longer has it") == 3


def test_a_package_is_noticed_by_itself(
    running: PluginInstallation, environment: Environment, client: Client
) -> None:
    environment.install("greetings", "1", FIRST, ENTRY_POINT)

    wait_until(lambda: help_of(running, "greetings", "greet"), seconds=SECONDS)
    assert said(client, "person\nAnn\n") == ["Ann,Hello Ann!,"]
    environment.uninstall("greetings")


def test_a_process_that_cannot_load_a_category_fails_its_registration(
    running: PluginInstallation, environment: Environment
) -> None:
    environment.install("greetings", "1", FIRST, ENTRY_POINT)
    running.start("worker-2", GREETINGS_BREAK="1")
    wait_until(lambda: "ready." in running.log("worker-2"), seconds=60)
    broken = running.processes["worker-2"].pid
    try:
        wait_until(lambda: len(family(broken)) >= 3, seconds=60)
        done = running.try_to_manage("register_category", "greetings")
    finally:
        running.processes["worker-2"].send_signal(signal.SIGTERM)
        running.processes["worker-2"].wait(30)

    assert done.returncode == 1
    assert "2 of 5 running processes have not followed:" in done.stderr
    named = re.findall(r"worker piston@\S+ process (\d+): .*ValueError: told to break", done.stderr)
    assert set(map(int, named)) <= set(family(broken)) or len(named) == 2
    assert "Registered greetings, version 1: greet." in done.stdout
    environment.uninstall("greetings")
