"""Tests that processes announce themselves, and that a registration asks each one that runs."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import OperationalError, connections
from django.utils import timezone

from categories.models import RegisteredCategory, RunningProcess
from categories.registry import announcing, asking
from categories.registry.announcing import Announcer, process_space
from piston.processes import lifetime
from tests.integration.categories.conftest import Write
from tests.servers import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


GOOD = {"mark": "", "version": "1", "problem": ""}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "ANSWER_SECONDS", 0.1)


def make_process(*, process_id: int = 0, silent: float = 0, **fields: Any) -> RunningProcess:
    """Record a process of this host: by default, the one that runs this test."""
    made: RunningProcess = RunningProcess.objects.create(
        **{
            "id": os.urandom(4).hex(),
            "role": "worker",
            "node": "piston@here",
            "process_id": process_id or os.getpid(),
            "process_space": process_space(),
            "seen_at": timezone.now() - timedelta(seconds=silent),
            **fields,
        }
    )
    return made


def ended_process() -> int:
    """Return the id of a process that is gone."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def answered(version: str = "1", problem: str = "") -> dict[str, Any]:
    """Return what a process has written about `echo` as it is registered now."""
    mark = RegisteredCategory.objects.get(name="echo").checked_at.isoformat()
    return {"echo": {"mark": mark, "version": version, "problem": problem}}


def test_a_process_announces_itself_and_what_it_has_loaded(write_plugin: Write) -> None:
    call_command("register_category", write_plugin(), stdout=StringIO())

    Announcer("web").announce()

    process = RunningProcess.objects.get()
    assert (process.role, process.process_id) == ("web", os.getpid())
    assert process.loaded == answered()


def test_what_has_not_changed_is_not_written_before_the_next_heartbeat(
    django_assert_num_queries: Any,
) -> None:
    announcer = Announcer("web")
    announcer.write({})

    with django_assert_num_queries(0):
        announcer.write({})
    announcer._written_at -= announcing.BEAT_SECONDS
    with django_assert_num_queries(1):
        announcer.write({})


def test_an_announcement_that_was_deleted_is_made_again() -> None:
    announcer = Announcer("web")
    announcer.write({})
    RunningProcess.objects.all().delete()

    announcer.write({"echo": GOOD})

    assert RunningProcess.objects.get().loaded == {"echo": GOOD}


def test_a_killed_process_is_forgotten_when_another_gets_its_id() -> None:
    make_process(role="killed")
    make_process(role="other", process_id=os.getppid())

    Announcer("web").write({})

    roles = RunningProcess.objects.values_list("role", flat=True)
    assert sorted(roles) == ["other", "web"]


def test_a_process_that_was_silent_for_a_day_is_forgotten() -> None:
    make_process(role="old", process_space="elsewhere", silent=86_500)
    make_process(role="other", process_space="elsewhere", silent=80_000)

    Announcer("web").write({})

    roles = RunningProcess.objects.values_list("role", flat=True)
    assert sorted(roles) == ["other", "web"]


def test_a_process_id_means_another_process_after_a_start_of_the_host(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = process_space()
    boot_id = tmp_path / "boot_id"
    boot_id.write_text("another\n")

    monkeypatch.setattr(announcing, "BOOT_ID", boot_id)

    assert process_space() != before


def test_another_version_than_the_registered_one_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    announcer = Announcer("web")
    loaded = {"echo": GOOD, "other": GOOD | {"problem": "it finds version 1"}}

    announcer.write(loaded)
    announcer._written_at -= announcing.BEAT_SECONDS
    announcer.write(loaded)

    assert caplog.text.count("The category other: it finds version 1") == 1
    assert "echo" not in caplog.text


def test_a_process_is_announced_from_its_start_to_its_end() -> None:
    announcing.install()
    try:
        lifetime.started.send(None, role="worker")
        (announcer,) = announcing._announcers
        wait_until(RunningProcess.objects.exists, seconds=60)
        lifetime.ending.send(None)
    finally:
        announcing.uninstall()

    announcer._thread.join(60)

    assert not announcer._thread.is_alive()
    assert not RunningProcess.objects.exists()


def test_a_process_without_its_database_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as away:
        away.setattr(connections["default"], "connect", refuse)
        connections["default"].close()
        announcer = Announcer("web")
        announcer.announce()

    announcer.announce()

    assert RunningProcess.objects.count() == 1
    assert "Traceback" not in caplog.text


def refuse(*_: Any) -> None:
    raise OperationalError("away")


def test_a_registration_prints_the_answers(write_plugin: Write) -> None:
    path = write_plugin()
    call_command("register_category", path, stdout=StringIO())
    mark = RegisteredCategory.objects.get(name="echo").checked_at
    process = make_process(loaded=answered())

    (answer,) = asking.ask_about("echo", mark)

    assert answer.process == f"worker piston@here process {process.process_id}"
    assert answer.problem == ""


def test_a_registration_fails_with_what_a_process_says(
    write_plugin: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(name: str, mark: Any) -> list[asking.Answer]:
        make_process(loaded=answered(problem="ImportError: no"))
        return asking.ask_about(name, mark)

    monkeypatch.setattr("categories.management.commands.register_category.ask_about", answer)

    with pytest.raises(CommandError, match=r"1 of 1 .*\n  worker .*\d+: ImportError: no"):
        call_command("register_category", write_plugin(), stdout=StringIO())

    assert RegisteredCategory.objects.filter(name="echo").exists()


def test_a_registration_fails_if_a_process_does_not_answer(write_plugin: Write) -> None:
    make_process()

    with pytest.raises(CommandError, match="no answer within"):
        call_command("register_category", write_plugin(), stdout=StringIO())


def test_an_answer_about_the_registration_before_is_none(write_plugin: Write) -> None:
    call_command("register_category", write_plugin(), stdout=StringIO())
    make_process(loaded=answered())

    with pytest.raises(CommandError, match="no answer within"):
        call_command("register_category", write_plugin(version="2"), stdout=StringIO())


def test_without_processes_a_registration_says_so(write_plugin: Write) -> None:
    out = StringIO()

    call_command("register_category", write_plugin(), stdout=out)

    assert "No process of web or workers is running." in out.getvalue()


@pytest.mark.parametrize(
    ("fields", "is_asked"),
    [
        ({"silent": 1_000}, True),  # this host knows better
        ({"process_id": "ended"}, False),
        ({"process_id": "ended", "process_space": "elsewhere"}, True),
        ({"process_space": "elsewhere", "silent": 59}, True),
        ({"process_space": "elsewhere", "silent": 61}, False),
    ],
)
def test_dead_processes_are_forgotten_and_others_asked(
    fields: dict[str, Any], is_asked: bool
) -> None:
    if fields.get("process_id") == "ended":
        fields = {**fields, "process_id": ended_process()}
    make_process(**fields)

    found = list(asking.read_running())

    assert len(found) == RunningProcess.objects.count() == int(is_asked)


def test_an_unregistration_waits_until_no_process_has_the_category(write_plugin: Write) -> None:
    call_command("register_category", write_plugin(), stdout=StringIO())
    make_process(loaded=answered())

    with pytest.raises(CommandError, match="no answer within"):
        call_command("unregister_category", "echo", stdout=StringIO())

    RunningProcess.objects.update(loaded={})
    assert [answer.problem for answer in asking.ask_whether_gone("echo")] == [""]
