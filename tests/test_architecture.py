"""Do imports flow one way, and does every concept stay small enough to be found?"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("piston", "categories", "tasks_app")

# What stands further down may import what stands above it, never the other way. A package that is
# named alone stands for all of its modules that are not named themselves.
ORDER = [
    "piston.environment",
    "piston.data_folder",
    "piston.plurals",
    "piston.settings",
    "piston.processes.console",
    "piston.processes.orphans",
    "piston.disk_reserve",
    "piston.database.sqlite",
    "piston.node",
    "piston.database.postgresql",
    "piston.processes.holders",
    "piston.celery.backoff",
    "piston.command_line",
    "piston.installation",
    "piston.database.database_errors",
    "piston.database.schema",
    "piston.celery.beat",
    "piston.celery.consumer",
    "piston.celery.queues",
    "piston.celery.foreign_messages",
    "piston.celery.folder_broker",
    "piston.storages.folder",
    "piston.storages.s3",
    "piston.celery.redis_broker",
    "piston.celery.pool_processes",
    "piston.processes.supervision",
    "piston.database.compiled_queries",
    "piston.database.locks",
    "piston.accounts",
    "piston.http",
    "piston.web",
    "piston.accounts.views",  # signing in is an endpoint: it uses what all endpoints share
    "categories",
    "tasks_app.states",
    "tasks_app.errors",
    "tasks_app.models",
    "tasks_app.events",
    "tasks_app.quotas",
    "tasks_app.upkeep.event_retention",
    "tasks_app.csv_files",
    "tasks_app.files.heartbeat",
    "tasks_app.files.storage",
    "tasks_app.files.storage_check",
    "tasks_app.files.task_files",
    "tasks_app.creating",
    "tasks_app.queue.sending",
    "tasks_app.queue.dispatch",
    "tasks_app.execution.compatibility",
    "tasks_app.execution.kept_waiting",
    "tasks_app.execution.deadlines",
    "tasks_app.execution.garbage",
    "tasks_app.execution.poison_rows",
    "tasks_app.execution.rate_limit",
    "tasks_app.execution.sqlite_lock",
    "tasks_app.execution.scheduling",
    "tasks_app.execution.ledger",
    "tasks_app.execution.output_lines",
    "tasks_app.execution.releasing",
    "tasks_app.execution.waiting",
    "tasks_app.execution.traces",
    "tasks_app.execution.attempts",
    "tasks_app.execution.external",
    "tasks_app.execution.runs",
    "tasks_app.execution.pages",
    "tasks_app.execution.batches",
    "tasks_app.execution.worker",
    "tasks_app.execution.assembly",
    "tasks_app.indeterminate.claims",
    "tasks_app.indeterminate.places",
    "tasks_app.indeterminate.answers",
    "tasks_app.indeterminate.rewriting",
    "tasks_app.indeterminate.carrying_out",
    "tasks_app.indeterminate.decisions",
    "tasks_app.indeterminate",
    "tasks_app.lifecycle",
    "tasks_app.upkeep.hourly_and_daily",
    "tasks_app.upkeep.future_times",
    "tasks_app.upkeep.sweeping",
    "tasks_app.tasks",
    "tasks_app",  # views, admin, commands: what people and programs see
    "categories.testing.crash_kit",  # for tests only: nothing in the product may import it
    "categories.testing",
]
WIRING = {"piston", "piston.celery", "piston.wsgi", "piston.urls", "piston.web.gunicorn"}
LONGEST_FILE = 320  # lines; past 300, look for the second concept inside
ALL_IN_ONE = {"piston.settings"}  # on purpose: every value is read in one file


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def rank(module: str) -> int | None:
    """Return the place of the longest name in ORDER that the module is, or is below of."""
    places = [
        (len(name), place)
        for place, name in enumerate(ORDER)
        if module == name or module.startswith(f"{name}.")
    ]
    return max(places)[1] if places else None


def imports_of(path: Path) -> Iterator[str]:
    """Yield the modules of ours that a file imports when it is loaded."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                below = f"{node.module}.{alias.name}"
                is_module = (ROOT / Path(*below.split("."))).with_suffix(".py").exists()
                is_package = (ROOT / Path(*below.split(".")) / "__init__.py").exists()
                yield below if is_module or is_package else node.module


FILES = sorted(
    path
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    if "migrations" not in path.parts and "tests" not in path.parts
)


@pytest.mark.parametrize(
    "path", [path for path in FILES if module_of(path) not in WIRING], ids=module_of
)
def test_a_module_imports_only_what_stands_above_it(path: Path) -> None:
    own = rank(module_of(path))
    assert own is not None, "name the module in ORDER or in WIRING"

    upwards = [
        imported
        for imported in imports_of(path)
        if imported.split(".")[0] in PACKAGES and (rank(imported) or 0) > own
    ]

    assert upwards == []


def test_the_design_tells_the_same_order() -> None:
    design = (ROOT / "docs/design.md").read_text()
    (told,) = re.findall(r"^In `tasks_app` it is: (.*?);", design, re.DOTALL | re.MULTILINE)

    below = [name.split(".")[1] for name in ORDER if name.startswith("tasks_app.")]
    assert re.findall(r"\w+", told) == list(dict.fromkeys(below))


def test_categories_know_nothing_of_tasks_and_of_http() -> None:
    for path in FILES:
        if module_of(path).startswith("categories"):
            banned = ("tasks_app", "piston.http", "celery", "rest_framework")
            assert not [name for name in imports_of(path) if name.startswith(banned)], path


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_no_file_is_long_and_each_says_what_it_answers(path: Path) -> None:
    source = path.read_text()

    assert source.count("\n") <= LONGEST_FILE or module_of(path) in ALL_IN_ONE
    assert not source.strip() or ast.get_docstring(ast.parse(source)), "a module docstring"


@pytest.mark.parametrize("word", ["utils", "helpers", "common", "misc", "base_manager"])
def test_no_module_has_a_name_that_says_nothing(word: str) -> None:
    assert not [path for path in FILES if path.stem == word]
