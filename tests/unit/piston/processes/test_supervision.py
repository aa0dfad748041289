"""Does supervisor get the commands of the Procfile, and every process its variables?"""

import configparser
from pathlib import Path

import pytest
from django.conf import settings

from piston.processes import orphans, supervision
from piston.processes.supervision import (
    process_environment,
    read_procfile,
    supervisor_configuration,
)

PROCFILE = Path(settings.BASE_DIR) / "Procfile"


def read(text: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    return parser


def test_the_procfile_has_exactly_the_three_processes() -> None:
    assert list(read_procfile(PROCFILE)) == ["web", "worker", "beat"]


def test_the_procfile_needs_no_shell() -> None:
    words = [word for command in read_procfile(PROCFILE).values() for word in command]

    assert not [word for word in words if set(word) & set("$&|;<>*'\"")]


def test_all_processes_are_in_one_group_so_that_they_stop_together() -> None:
    commands = {"web": ["serve"], "worker": ["work"]}

    text = supervisor_configuration(
        commands, folder=Path("/data"), logs={"web": "/dev/fd/4", "worker": "/dev/fd/5"}
    )

    assert read(text)["group:piston"]["programs"] == "web,worker"
    assert read(text)["program:worker"]["command"] == "work"
    assert read(text)["program:worker"]["stdout_logfile"] == "/dev/fd/5"


def test_a_percent_sign_in_a_command_is_not_a_substitution() -> None:
    text = supervisor_configuration(
        {"web": ["serve", "50%"]}, folder=Path("/data"), logs={"web": "/dev/fd/4"}
    )

    assert read(text)["program:web"]["command"] == "serve 50%%"


def test_a_process_gets_the_values_in_force_and_what_was_set_outside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PISTON_WEB_THREADS", "4")
    monkeypatch.setenv("UNRELATED", "1")

    variables = process_environment()

    assert variables["PISTON_DATA_DIR"] == str(settings.PISTON_DATA_DIR)
    assert variables["DATABASE_URL"] == settings.DATABASE_URL
    assert variables["PISTON_WEB_THREADS"] == "4"
    assert "UNRELATED" not in variables


@pytest.fixture
def parents(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[int]:
    """The parents with which a process asks to end, in its own data folder."""
    asked: list[int] = []
    monkeypatch.setattr(settings, "PISTON_DATA_DIR", tmp_path)
    monkeypatch.setattr(supervision, "_kept_open", [])
    monkeypatch.setattr(orphans, "end_with_parent", asked.append)
    return asked


def test_a_process_without_a_supervisor_ends_with_no_other(
    parents: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(supervision.SUPERVISOR_PID, raising=False)

    supervision.end_with_supervisor()

    assert parents == []
    assert supervision.wait_for_members(0)


def test_a_process_of_a_supervisor_ends_with_it_and_holds_up_the_next_until_then(
    parents: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(supervision.SUPERVISOR_PID, "123")

    supervision.end_with_supervisor()

    assert parents == [123]
    assert not supervision.wait_for_members(0)
    supervision._kept_open.pop().close()
    assert supervision.wait_for_members(0)


def test_only_processes_of_the_supervisor_are_told_of_it() -> None:
    assert supervision.SUPERVISOR_PID not in process_environment()
