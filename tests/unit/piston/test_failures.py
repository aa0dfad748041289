"""Does the log say why something has to wait, and who has to do something?"""

from __future__ import annotations

import pytest
from django.db import OperationalError, ProgrammingError

from piston.database import failures
from piston.database.failures import log_failure


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Hear that the schema is to be looked at again."""
    asked: list[bool] = []
    monkeypatch.setattr(failures.schema, "look_again", lambda: asked.append(True))
    return asked


def test_a_failed_statement_of_ours_is_loud_and_lets_the_schema_be_looked_at(
    asked: list[bool], caplog: pytest.LogCaptureFixture
) -> None:
    log_failure("A task waits", OperationalError("server closed the connection"))
    log_failure("A task waits", ProgrammingError("column x does not exist"))

    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR"]
    assert asked == [True]
