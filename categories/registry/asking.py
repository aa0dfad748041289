"""Waits until every running process has answered what it made of a registration."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import DurationField, ExpressionWrapper, F
from django.db.models.functions import Now

from categories.models import RunningProcess
from categories.registry.announcing import BEAT_SECONDS, process_space

ANSWER_SECONDS = 30.0  # for which a process may be busy, or its connection be lost
DEAD_SECONDS = 6 * BEAT_SECONDS  # without a heartbeat, of a process whose id says nothing here
LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class Answer:
    """What a process says of a category; `problem` is "" if all is well."""

    process: str
    problem: str


def ask_about(name: str, mark: datetime) -> list[Answer]:
    """Return the answer of every running process about a category registered at `mark`."""
    wanted = mark.isoformat()
    running = wait_for(lambda process: process.loaded.get(name, {}).get("mark") == wanted)
    return [
        Answer(
            str(process),
            process.loaded[name]["problem"] if has_answered else describe_silence(process),
        )
        for process, has_answered in running
    ]


def ask_whether_gone(name: str) -> list[Answer]:
    """Return the answer of every running process about a category that was unregistered."""
    running = wait_for(lambda process: name not in process.loaded)
    return [
        Answer(str(process), "" if has_answered else describe_silence(process))
        for process, has_answered in running
    ]


def wait_for(
    has_answered: Callable[[RunningProcess], bool],
) -> list[tuple[RunningProcess, bool]]:
    """Return the running processes, each with whether it has answered, when all have or time is up.

    Dead processes are forgotten meanwhile.
    """
    until = time.monotonic() + ANSWER_SECONDS
    while True:
        answers = [(process, has_answered(process)) for process in read_running()]
        if all(answered for _, answered in answers) or time.monotonic() > until:
            return answers
        time.sleep(LOOK_SECONDS)


def read_running() -> Iterator[RunningProcess]:
    """Yield the processes that run, and delete the rows of others."""
    silence = ExpressionWrapper(Now() - F("seen_at"), output_field=DurationField())
    for process in RunningProcess.objects.annotate(silence=silence):
        if is_dead(process):
            process.delete()
        else:
            yield process


def is_dead(process: RunningProcess) -> bool:
    """Say whether a process is gone: by its id on this host, elsewhere by its heartbeat."""
    if process.process_space != process_space():
        return bool(process.silence > timedelta(seconds=DEAD_SECONDS))  # type: ignore[attr-defined]
    try:
        os.kill(process.process_id, 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # of another user
        return False
    return False


def describe_silence(process: RunningProcess) -> str:
    """Return how long a process that should have answered has been silent."""
    seconds = process.silence.total_seconds()  # type: ignore[attr-defined]
    return (
        f"no answer within {ANSWER_SECONDS:.0f} s; its last heartbeat was {seconds:.0f} s ago."
        " It may be busy or frozen, or have lost the database"
    )
