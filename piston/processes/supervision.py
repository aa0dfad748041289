"""Configures supervisor to run the Procfile, and ends its processes when it is killed."""

from __future__ import annotations

import fcntl
import os
import shlex
import signal
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings

from piston.processes import orphans

CARRIED = ("ALLOWED_HOSTS", "CACHE_URL", "CSRF_TRUSTED_ORIGINS", "DEBUG", "LOG_LEVEL")
CARRIED_PREFIXES = ("AWS_", "CORS_", "PISTON_")

SUPERVISOR_PID = "PISTON_SUPERVISOR_PID"  # set only for the supervisor's processes
MEMBERS = "serve.members"  # a file in the data folder, locked by each process of a supervisor

_kept_open: list[Any] = []

PROGRAM = """
[program:{name}]
command = {command}
directory = {directory}
; no banner, and no warning for a user who tries this as root
environment = CELERY_QUIET="1",PYTHONWARNINGS="ignore:You're running the worker with superuser"
stdout_logfile = {log}
stdout_logfile_maxbytes = 0
redirect_stderr = true
autorestart = true
startsecs = 1
; for ever: a process that cannot start waits one second longer after each attempt
startretries = 1000000
stopsignal = TERM
; then KILL, to the process and its children. TERM goes only to the process: a worker lets its
; children finish the batch in hand
stopwaitsecs = 14
killasgroup = true
"""

SUPERVISOR = """
[supervisord]
nodaemon = true
logfile = /dev/null
logfile_maxbytes = 0
loglevel = warn
pidfile = {folder}/supervisord.pid
childlogdir = {folder}
{user}
; one group, whose processes are told to stop at the same moment, not one after the other
[group:piston]
programs = {names}
"""

ROOT = "; the user who starts it; without this line, supervisor warns root\nuser = root\n"


def read_procfile(path: Path) -> dict[str, list[str]]:
    """Return the command of each process, split into words, in the order of the file."""
    processes = {}
    for line in path.read_text().splitlines():
        name, colon, command = line.partition(":")
        if colon and not line.startswith("#"):
            processes[name.strip()] = shlex.split(command)
    return processes


def supervisor_configuration(
    commands: Mapping[str, Iterable[str]], *, folder: Path, logs: Mapping[str, str]
) -> str:
    """Return supervisor's configuration for `commands`, run in the checkout.

    `folder` is for supervisor's own files. `logs` has the file that each process writes to.
    """
    programs = [
        PROGRAM.format(
            name=name,
            command=escape(shlex.join(words)),
            directory=escape(str(settings.BASE_DIR)),
            log=escape(logs[name]),
        )
        for name, words in commands.items()
    ]
    head = SUPERVISOR.format(
        folder=escape(str(folder)),
        names=",".join(commands),
        user=ROOT if os.geteuid() == 0 else "",
    )
    return head + "".join(programs)


def escape(text: str) -> str:
    """Return `text` as a literal value for supervisor, where a percent sign substitutes."""
    return text.replace("%", "%%")


def process_environment() -> dict[str, str]:
    """Return the variables that make a process of the Procfile part of this installation.

    They have the values in force, set or default. Other variables that were set for Piston Tasks
    are passed on unchanged.
    """
    set_outside = {
        name: value
        for name, value in os.environ.items()
        if value and (name in CARRIED or name.startswith(CARRIED_PREFIXES))
    }
    return set_outside | {
        "DJANGO_SETTINGS_MODULE": "piston.settings",
        "PISTON_DATA_DIR": str(settings.PISTON_DATA_DIR),
        "PORT": str(settings.PORT),
        "DATABASE_URL": settings.DATABASE_URL,
        "CELERY_BROKER_URL": settings.CELERY_BROKER_URL,
        "SECRET_KEY": settings.SECRET_KEY,
        "REMAP_SIGTERM": "SIGQUIT",  # at TERM, Celery gives the slice in hand only a few seconds
    }


# ---- When the supervisor is killed ---------------------------------------------------------------


def end_with_supervisor(**_: Any) -> None:
    """End this process in order when its supervisor is gone; without one, do nothing.

    The next supervisor waits until this process and all its children have ended.
    """
    if supervisor := os.environ.get(SUPERVISOR_PID):
        members = (settings.PISTON_DATA_DIR / MEMBERS).open("a")
        fcntl.flock(members, fcntl.LOCK_SH)
        _kept_open.append(members)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})  # blocked for the supervisor
        orphans.end_with_parent(int(supervisor))


def wait_for_members(seconds: float) -> bool:
    """Wait for the processes of a killed supervisor to end; return False if some still run."""
    until = time.monotonic() + seconds
    with (settings.PISTON_DATA_DIR / MEMBERS).open("a") as members:
        while True:
            with suppress(BlockingIOError):
                fcntl.flock(members, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            if time.monotonic() > until:
                return False
            time.sleep(0.1)
