"""Starts web, worker and beat on one machine under supervisor: `make run`."""

from __future__ import annotations

import errno
import fcntl
import os
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from piston import disk_reserve
from piston.environment import in_brackets, is_loopback
from piston.processes import console, holders
from piston.processes.supervision import (
    MEMBERS,
    SUPERVISOR_PID,
    process_environment,
    read_procfile,
    supervisor_configuration,
    wait_for_members,
)
from tasks_app.management import demo_account

WELCOME = r"""
Piston Tasks starts on {url}, with its data in {folder}. Ctrl-C ends it.

  account  {account} ({name})
  API key  {key} (new at each start)

To try it, paste this into another terminal. It signs in, creates a task from a small file, starts
it and shows how it stands; the last two lines can be repeated:

  API={url}/v2  TASKS=$API/accounts/{account}/tasks
  TOKEN=$(curl -s -X PUT $API/api_auth -H 'Content-Type: application/json' \
    -d '{{"data": {{"api_key": "{key}"}}}}' | {auth_token})
  TASK=$(printf 'number,account_id\n+14157215234,{account}\n' |
    curl -s -X PUT "$TASKS?category=number_management&action=add&file_name=first.csv" \
    -H "X-Auth-Token: $TOKEN" -H 'Content-Type: text/csv' --data-binary @- | {id})
  curl -s -X PATCH -H "X-Auth-Token: $TOKEN" $TASKS/$TASK; sleep 1
  curl -s -H "X-Auth-Token: $TOKEN" $TASKS/$TASK
  curl -s -H "X-Auth-Token: $TOKEN" $TASKS/$TASK/output

The admin is at {url}/admin/ (for a login: {manage} createsuperuser).

"""
# prints one value of a JSON text, with nothing to install
PICK = r"""sed -E 's/.*"{}": ?"([^"]+)".*/\1/'"""

MEMBERS_SECONDS = 20  # to wait for the processes of a supervisor that was killed


class Command(BaseCommand):
    """Start web, worker and beat, and keep them running until this command is told to stop."""

    help = "Start web, worker and beat on this machine; restart what dies; end on TERM or INT."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the only option."""
        parser.add_argument(
            "--end-with-parent",
            action="store_true",
            help="End when the process that started this is interrupted or gone (make run).",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Prepare the data folder and the database, print the welcome, become supervisor."""
        folder = settings.PISTON_DATA_DIR
        disk_reserve.release()
        lock_file = lock(folder)
        self.wait_for_last_run(folder)
        check_port()
        call_command("migrate", verbosity=0, interactive=False)
        account, key = demo_account.renew_key(folder / "demo_account.json")
        self.stdout.write(
            WELCOME.format(
                url=f"http://{reachable_at()}:{settings.PORT}",
                folder=folder,
                account=account.pk,
                name=account.name,
                key=key,
                auth_token=PICK.format("auth_token"),
                id=PICK.format("id"),
                manage=manage_command(folder),
            )
        )
        self.stdout.flush()
        os.set_inheritable(lock_file.fileno(), True)  # supervisor holds the lock while it lives
        become_supervisor(folder, watched=os.getppid() if options["end_with_parent"] else 0)

    def wait_for_last_run(self, folder: Path) -> None:
        """Wait for the processes of a killed supervisor; raise CommandError if they do not end."""
        if wait_for_members(0):
            return
        self.stdout.write("Waiting for the processes of the last run to end; it was killed.")
        if not wait_for_members(MEMBERS_SECONDS):
            left = " ".join(map(str, holders.holders_of_file(folder / MEMBERS)))
            raise CommandError(
                f"Processes of the last run on {folder} have not ended. End them first, which is"
                f" safe: kill -KILL {left or f'what lsof {folder / MEMBERS} names'}"
            )


def manage_command(folder: Path) -> str:
    """Return how to call manage.py for this installation from another terminal."""
    is_usual = folder == settings.BASE_DIR / "var"
    where = "" if is_usual else f"PISTON_DATA_DIR={shlex.quote(str(folder))} "
    return f"{where}.venv/bin/python manage.py"


def lock(folder: Path) -> Any:
    """Lock the data folder while the returned file is open; raise CommandError if it is locked."""
    file = (folder / "serve.lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.seek(0)
        raise CommandError(
            f"Piston Tasks is already running on {folder} (process {file.read().strip()}). Stop it"
            " first, or choose another folder and port: make run PISTON_DATA_DIR=… PORT=…"
        ) from error
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def reachable_at() -> str:
    """Return the address at which this machine reaches the web server."""
    address = settings.PISTON_BIND_ADDRESS
    return in_brackets(address) if is_loopback(address) else "127.0.0.1"


def check_port() -> None:
    """Raise CommandError if the web server could not listen on its port."""
    address = settings.PISTON_BIND_ADDRESS
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.create_server((address, settings.PORT), family=family):
            return
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            why = describe_users(settings.PORT)
        else:
            why = error.strerror or str(error)
        raise CommandError(
            f"Port {settings.PORT} of {address} cannot be had: {why}."
            f" Choose another one: make run PORT={settings.PORT + 1}"
        ) from error


def describe_users(port: int) -> str:
    """Say which processes use a port, if that can be known."""
    processes = ", ".join(map(str, holders.holders_of_port(port)))
    return f"process {processes} is using it" if processes else "something else is using it"


def become_supervisor(folder: Path, *, watched: int) -> NoReturn:
    """Turn this process into supervisord, the parent of the commands of the Procfile.

    Their output goes through `piston/processes/console.py`, which outlives them all by a moment.
    It ends them if the process `watched` (0: none) is gone.
    """
    commands = read_procfile(settings.BASE_DIR / "Procfile")
    pipes = {name: os.pipe() for name in [*commands, "supervisor"]}
    subprocess.Popen(  # noqa: S603 - our own program, with numbers and the Procfile's names
        [
            *(sys.executable, "-I", "-S", console.__file__),
            str(watched),
            *(f"{name}={reader}" for name, (reader, _) in pipes.items()),
        ],
        pass_fds=[reader for reader, _ in pipes.values()],
    )
    for reader, writer in pipes.values():
        os.close(reader)
        os.set_inheritable(writer, True)
    configuration = folder / "supervisord.conf"
    configuration.write_text(
        supervisor_configuration(
            commands,
            folder=folder,
            logs={name: f"/dev/fd/{pipes[name][1]}" for name in commands},
        )
    )
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})  # console.py answers it
    for descriptor in (1, 2):
        os.dup2(pipes["supervisor"][1], descriptor)
    os.environ |= {**process_environment(), SUPERVISOR_PID: str(os.getpid())}
    os.chdir(settings.BASE_DIR)  # the programs of the Procfile are named from there
    command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(configuration)]
    os.execv(sys.executable, command)  # noqa: S606 - replaces this process, without a shell
