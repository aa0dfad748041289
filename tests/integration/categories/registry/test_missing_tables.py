"""Tests that a category whose tables or columns are missing is not registered."""

import pytest
from django.db import connection

from categories.errors import RegistrationRefused
from categories.rates.category import Rates
from categories.registry import registering, schemas
from tests.integration.categories.conftest import Write

pytestmark = pytest.mark.django_db

RENAMED_TABLE = "ALTER TABLE rates_rate RENAME TO rates_other"
RENAMED_COLUMN = "ALTER TABLE rates_rate RENAME COLUMN prefix TO other"


def test_nothing_is_missing_after_the_migrations() -> None:
    assert schemas.find_missing(Rates) is None


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        (RENAMED_TABLE, "lacks the table rates_rate. "),
        (RENAMED_COLUMN, "lacks the column rates_rate.prefix. "),
    ],
)
def test_what_is_missing_is_named_with_the_remedy(statement: str, what: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)

    problem = schemas.find_missing(Rates) or ""

    assert what in problem
    assert "`manage.py makemigrations rates`" in problem


def test_a_category_whose_tables_are_missing_is_refused(
    write_plugin: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schemas, "find_missing", lambda category: "The database lacks a table.")

    with pytest.raises(RegistrationRefused, match="lacks a table"):
        registering.register(write_plugin())
