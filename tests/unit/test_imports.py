"""Do imports flow one way? piston ← categories ← tasks_app, and in layers within (design §2)."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# the lowest first: a module may import from its own layer and from those before it
PACKAGES = [
    ["piston"],
    ["categories"],
    ["tasks_app"],
    ["tests", "benchmarks"],
]
PISTON = [
    ["environment", "settings", "celery"],
    ["accounts"],
    ["http"],
]
TASKS_APP = [
    ["states", "errors"],
    ["models"],
    ["csv_files", "storage"],
    [],  # every module that is not named: what happens to a task
    [  # who asks: messages, HTTP, the admin, the command line
        *("tasks", "admin", "management", "apps", "checks"),
        *("views", "urls", "serializers", "renderers", "http_errors"),
        *("downloads", "listing", "offering", "uploads"),
    ],
]


def modules(package: str) -> list[str]:
    paths = sorted((ROOT / package).rglob("*.py"))
    return [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in paths
        if "migrations" not in path.parts and "tests" not in path.parts
    ]


def imported_by(module: str) -> Iterator[str]:
    path = ROOT / Path(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{name.name}" for name in node.names)


def layer_of(name: str, layers: list[list[str]]) -> int | None:
    for number, layer in enumerate(layers):
        if name in layer:
            return number
    return layers.index([]) if [] in layers else None


def backward_imports(package: str, layers: list[list[str]], depth: int) -> list[str]:
    found = []
    for module in modules(package):
        words = module.split(".")
        own = layer_of(words[depth], layers) if len(words) > depth else None
        for imported in imported_by(module):
            parts = imported.split(".")
            if parts[:depth] != words[:depth] or len(parts) <= depth or own is None:
                continue
            other = layer_of(parts[depth], layers)
            if other is not None and other > own:
                found.append(f"{module} imports {imported}")
    return found


@pytest.mark.parametrize("package", ["piston", "categories", "tasks_app"])
def test_no_package_imports_one_that_stands_on_it(package: str) -> None:
    assert backward_imports(package, PACKAGES, depth=0) == []


def test_accounts_know_nothing_of_http() -> None:
    found = backward_imports("piston", PISTON, depth=1)

    # signing in is an endpoint of the accounts, and uses what all endpoints share
    assert [line for line in found if not line.startswith("piston.accounts.views ")] == []


def test_within_tasks_app_imports_lead_towards_the_models() -> None:
    assert backward_imports("tasks_app", TASKS_APP, depth=1) == []
