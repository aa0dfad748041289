"""Do running processes follow when packages of plugins come, change and go?"""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.acceptance.installation import ROOT, Client
from tests.acceptance.plugin_packages import Environment, PluginInstallation
from tests.servers import family, wait_until

pytestmark = pytest.mark.acceptance

PROCESSES = ["web", "worker", "worker"]
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
def made_environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(tmp_path_factory.mktemp("environment"))


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, made_environment: Environment
) -> Iterator[PluginInstallation]:
    with PluginInstallation(tmp_path_factory.mktemp("running"), made_environment) as installation:
        yield installation


@pytest.fixture
def environment(running: PluginInstallation) -> Iterator[Environment]:
    """An environment that has no plugin before and after a test."""
    yield running.plugins
    for name in sorted(running.plugins.installed):
        running.plugins.uninstall(name)
        running.try_to_manage("unregister_category", name)  # it may have no record


@pytest.fixture(scope="module")
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

    assert re.findall(r"  (\w+) piston@\S+ process \d+: version 1\n", first) == PROCESSES
    assert (help_of(running, "greetings", "greet") or {})["optional"] == []
    assert [said(client, "person\nAnn\n") for _ in range(3)] == 3 * [["Ann,Hello Ann!,"]]

    environment.install("greetings", "2", SECOND, ENTRY_POINT)
    second = running.manage("register_category", "greetings.category.Greetings")

    assert second.count("version 2") == 1 + 3
    assert (help_of(running, "greetings", "greet") or {})["optional"] == ["title"]
    assert [said(client, "person,title\nAnn,Dr\n") for _ in range(3)] == 3 * [
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


def test_a_process_that_cannot_load_a_category_fails_its_registration(
    running: PluginInstallation, environment: Environment
) -> None:
    environment.install("greetings", "1", FIRST, ENTRY_POINT)
    running.start("worker-2", GREETINGS_BREAK="1")
    worker = running.processes["worker-2"]
    try:
        wait_until(lambda: count_announced(running) == 3 + 2, seconds=60)
        broken = family(worker.pid)
        done = running.try_to_manage("register_category", "greetings")
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait(30)

    assert done.returncode == 1
    assert "Registered greetings, version 1: greet." in done.stdout
    assert "2 of 5 running processes have not followed:" in done.stderr
    named = re.findall(r"worker piston@\S+ process (\d+): .*ValueError: told to break", done.stderr)
    assert len(named) == 2
    assert set(map(int, named)) < set(broken)


def count_announced(running: PluginInstallation) -> int:
    """Return how many processes have announced themselves."""
    return count(running, "categories_runningprocess")


def count(running: PluginInstallation, table: str) -> int:
    """Return how many rows a table has."""
    with closing(sqlite3.connect(running.folder / "data" / "piston.sqlite3")) as database:
        found: int = database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    return found


ENTRY = "diary = diary.category:Diary"
DIARY = {
    "diary/__init__.py": "",
    "diary/apps.py": """
from django.apps import AppConfig


class DiaryConfig(AppConfig):
    name = "diary"
""",
    "diary/models.py": """
from django.db import models


class Line(models.Model):
    text = models.TextField(unique=True)
""",
    "diary/migrations/__init__.py": "",
    "diary/migrations/0001_initial.py": """
from django.db import migrations, models


class Migration(migrations.Migration):
    operations = [
        migrations.CreateModel(
            "Line",
            [
                ("id", models.BigAutoField(primary_key=True, auto_created=True, serialize=False)),
                ("text", models.TextField(unique=True)),
            ],
        )
    ]
""",
    "diary/admin.py": """
from django.contrib import admin

from diary.models import Line

admin.site.register(Line)
""",
    "diary/category.py": '''
"""What happened?"""

from categories.columns import TextColumn
from categories.contract import Category, RowAction
import diary.models


class Write(RowAction):
    """Write lines."""

    text = TextColumn("The line.", mandatory=True, example="Rain")

    def process(self, row, context):
        diary.models.Line.objects.create(text=row.text)


class Diary(Category):
    """A diary."""

    name = "diary"
    version = "1"
    actions = [Write]
''',
}


def test_a_package_with_models_is_migrated_and_used_after_a_restart(
    running: PluginInstallation, environment: Environment, client: Client
) -> None:
    environment.install("diary", "1", DIARY, ENTRY)
    running.manage("migrate")
    unloaded = running.try_to_manage("register_category", "diary")
    for name in ("web", "worker"):
        running.processes[name].send_signal(signal.SIGTERM)
        running.processes[name].wait(30)
        running.start(name)
    wait_until(running.answers, seconds=60)
    done = running.manage("register_category", "diary")
    task_id = client.upload(b"text\nRain\nSun\nRain\n", category="diary", action="write")
    client.call("PATCH", task_id)
    task = client.wait_for_end(task_id)
    environment.install(
        "diary", "2", DIARY | {"diary/models.py": DIARY["diary/models.py"] + "# more\n"}, ENTRY
    )
    changed = running.try_to_manage("register_category", "diary")

    assert unloaded.stderr.count("started without the Django app diary") == 3
    assert done.count("version 1") >= 1 + 1
    assert (task["success_count"], task["failure_count"]) == (2, 1)
    assert count(running, "diary_line") == 2
    assert changed.stderr.count("Its models (diary.models) have changed") == 3


def test_an_authors_tests_find_the_models_that_piston_apps_names(tmp_path: Path) -> None:
    for name, text in (DIARY | {"test_diary.py": CRASHES}).items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)

    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider"),
            *("-c", ROOT / "pyproject.toml", "--rootdir", ROOT, tmp_path / "test_diary.py"),
        ],
        cwd=ROOT,
        env={**os.environ, "PISTON_APPS": "diary", "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert "2 passed" in done.stdout, done.stdout + done.stderr


CRASHES = """
import pytest
from categories.testing import assert_survives_crashes
from diary.category import Write
from diary.models import Line
from django.urls import reverse


@pytest.mark.django_db
def test_writing_survives_crashes():
    assert_survives_crashes(Write, [{"text": text} for text in ("a", "b", "a", "c")])


@pytest.mark.django_db
def test_staff_see_the_lines(admin_client):
    Line.objects.create(text="Rain")

    assert admin_client.get(reverse("admin:diary_line_changelist")).status_code == 200
"""
