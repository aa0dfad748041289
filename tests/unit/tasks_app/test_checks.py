"""Are settings that do not fit together refused at start, with a message?"""

from pathlib import Path
from typing import Any

import pytest
from django.core import checks
from pytest_django.fixtures import Settings

from tasks_app.csv_files import scanning


def found(**options: Any) -> set[str | None]:
    return {message.id for message in checks.run_checks(tags=["piston"], **options)}


def test_the_defaults_fit_together() -> None:
    assert found() == set()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("PISTON_CLAIM_SECONDS", 10, "tasks_app.E001"),
        ("PISTON_SWEEP_SECONDS", 10, "tasks_app.E001"),
        ("PISTON_SLICE_MILLISECONDS", 5_000, "tasks_app.E002"),
        ("CELERY_BROKER_TRANSPORT_OPTIONS", {"visibility_timeout": 9}, "tasks_app.E003"),
        ("PISTON_MAX_CELL_BYTES", 2**60, "tasks_app.E004"),
        ("PISTON_MAX_JSON_BYTES", 2**60, "tasks_app.E004"),
        ("SECRET_KEY", "short", "tasks_app.E005"),
    ],
)
def test_a_value_out_of_proportion_is_an_error(
    settings: Settings, name: str, value: object, expected: str
) -> None:
    setattr(settings, name, value)

    assert found() == {expected}


def test_sqlite_with_a_broker_for_several_machines_is_warned_of(settings: Settings) -> None:
    settings.DATABASE_IS_EMBEDDED = True
    settings.BROKER_IS_EMBEDDED = False

    assert found() == {"tasks_app.W001"}


def test_what_one_machine_keeps_to_itself_is_named_before_deploying(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DATABASE_IS_EMBEDDED = False
    settings.BROKER_IS_EMBEDDED = True
    settings.PISTON_S3_BUCKET = ""
    monkeypatch.setattr(scanning, "COMPILED_SCAN", "is there")

    assert found(include_deployment_checks=True) == {"tasks_app.W002", "tasks_app.W003"}


def test_a_data_folder_that_others_may_look_into_is_warned_of(
    settings: Settings, tmp_path: Path
) -> None:
    settings.PISTON_DATA_DIR = tmp_path
    tmp_path.chmod(0o750)

    assert found() == {"tasks_app.W004"}


def test_a_scanner_that_was_not_compiled_is_warned_of_before_deploying(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.BROKER_IS_EMBEDDED = False
    settings.DATABASE_IS_EMBEDDED = False
    settings.PISTON_S3_BUCKET = "files"
    monkeypatch.setattr(scanning, "COMPILED_SCAN", None)

    assert found(include_deployment_checks=True) == {"tasks_app.W005"}
