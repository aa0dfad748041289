"""What does every test find in place, here and beside the categories?"""

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache

from categories.registry import announcing, schemas
from piston.database.schema import schema
from tests import patience


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None,
) -> None:
    """Keep an SQLite test database in a file: in memory its locks differ from the product's."""
    database: dict[str, Any] = settings.DATABASES["default"]
    if database["ENGINE"] == "piston.database.sqlite":
        database["TEST"]["NAME"] = str(settings.PISTON_DATA_DIR / "test.sqlite3")


@pytest.fixture(scope="session", autouse=True)
def unannounced() -> None:
    """Let the process of the tests start no thread that announces it."""
    announcing.uninstall()


@pytest.fixture(autouse=True)
def fitting_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test ask the database whether its schema fits, unless it says `look_again()`."""
    for each in (schema, *schemas.of_categories.values()):
        monkeypatch.setattr(each, "_looked_at", float("inf"))
        monkeypatch.setattr(each, "_said", None)
        monkeypatch.setattr(each, "_problem", None)


@pytest.fixture(autouse=True)
def empty_cache() -> Iterator[None]:
    """Forget what throttles have counted."""
    yield
    cache.clear()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a patient person try more random histories and examples."""
    parser.addoption("--histories", default=20, type=int, help="random histories of tasks to try")
    parser.addoption(
        "--fuzz-factor", default=1, type=int, help="so many times the usual random examples"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Tell the tests how patient that person is, before they are loaded."""
    patience.choose(int(config.getoption("--fuzz-factor")))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave tests of one database alone to the run on it; `make test` has a run on each."""
    is_postgresql = settings.DATABASES["default"]["ENGINE"] == "piston.database.postgresql"
    other = "sqlite" if is_postgresql else "postgresql"
    elsewhere = [item for item in items if item.get_closest_marker(other)]
    config.hook.pytest_deselected(items=elsewhere)
    items[:] = [item for item in items if item not in elsewhere]
