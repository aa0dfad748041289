"""Demonstrates the product with 10,000 real rows, over HTTP alone: `make demo`."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from tasks_app.management.client import Client, RequestFailed, request
from tasks_app.management.real_numbers import real_numbers

ROWS = 10_000
START_SECONDS = 60
RUN_SECONDS = 120
STOP_SECONDS = 20
BAR_WIDTH = 40
FINAL = {"success", "partial", "failure", "stopped", "internal_error"}


class Command(BaseCommand):
    """Start a separate server, run a task of 10,000 rows, show its output, and stop the server."""

    help = "Run 10,000 real rows through a server of its own, over HTTP, and show what comes out."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        """Show every step; raise CommandError if anything is wrong."""
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        try:
            with (
                TemporaryDirectory(prefix="piston-demo-") as folder,
                server(Path(folder)) as client,
            ):
                self.show(client)
        except RequestFailed as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError(
                "Interrupted; everything has been stopped.", returncode=130
            ) from None

    def show(self, client: Client) -> None:
        """Create, start and watch a task; show its output and its failed rows."""
        good = [f"{number},{client.account}" for number in real_numbers(ROWS)]
        rows = good + faulty_rows(good)
        self.say(f"The server runs on {client.url}, with SQLite and a folder as broker.")
        content = "\n".join(["number,account_id", *rows, ""]).encode()

        began = time.monotonic()
        task = client.create("number_management", "add", "real_numbers.csv", content)
        self.say(
            f"Uploaded {task['total_count']:,} rows ({len(content):,} bytes)"
            f" in {time.monotonic() - began:.2f} s: task {task['id']}, {task['status']}."
        )
        began = time.monotonic()
        client.start(task["id"])
        task = self.watch(client, task["id"])
        seconds = time.monotonic() - began
        self.say(
            f"Finished in {seconds:.2f} s ({len(rows) / seconds:,.0f} rows/s): {task['status']},"
            f" {task['success_count']:,} rows succeeded, {task['failure_count']:,} failed.\n"
        )
        output = client.file(task["id"], "out.csv").splitlines()
        self.say("The output has a line for each row, in the order of the input. It begins:")
        self.say("\n".join(f"  {line}" for line in output[:6]))
        failed = [line for line in output[1:] if not line.endswith(",")]
        self.say("\nThe rows that failed, and why (the last column):")
        self.say("\n".join(f"  {line}" for line in failed))
        self.verify(task, succeeded=len(good), failed=len(rows) - len(good), output=output)
        self.say("\nEvery row is accounted for. Next: make run, then README.md.")

    def watch(self, client: Client, task_id: str) -> dict[str, Any]:
        """Draw the progress until the task has ended; return the ended task."""
        deadline = time.monotonic() + RUN_SECONDS
        while True:
            task = client.task(task_id)
            done = task["success_count"] + task["failure_count"]
            self.draw(done, task["total_count"])
            if task["status"] in FINAL:
                self.say("")
                return task
            if time.monotonic() > deadline:
                raise CommandError(f"The task has not ended within {RUN_SECONDS} s: {task}")
            time.sleep(0.2)

    def draw(self, done: int, total: int) -> None:
        """Draw the bar; on a terminal, overwrite the previous one."""
        full = BAR_WIDTH * done // total
        bar = "#" * full + "." * (BAR_WIDTH - full)
        ending = "" if self.stdout.isatty() else "\n"
        self.stdout.write(f"\r[{bar}] {done:,} of {total:,} rows", ending=ending)
        self.stdout.flush()

    def verify(
        self, task: Mapping[str, Any], *, succeeded: int, failed: int, output: list[str]
    ) -> None:
        """Raise CommandError unless the counts and the output are exactly as expected."""
        expected = ("partial", succeeded, failed, 1 + succeeded + failed)
        found = (task["status"], task["success_count"], task["failure_count"], len(output))
        if found != expected:
            raise CommandError(
                f"Expected (status, succeeded, failed, output lines) {expected}, found {found}."
            )

    def say(self, text: str) -> None:
        """Print at once, because people watch the demo."""
        self.stdout.write(text)
        self.stdout.flush()


def faulty_rows(good: list[str]) -> list[str]:
    """Return rows that must fail, each for a different reason."""
    number, account = good[0].split(",")
    return [
        good[0],  # exists already
        f"{number.removeprefix('+')},{account}",  # not international
        f"+1234567890123456,{account}",  # one digit too many
        f"{real_numbers(ROWS + 1)[-1]},{'0' * 32}",  # an account that does not exist
    ]


@contextmanager
def server(folder: Path) -> Iterator[Client]:
    """Run a server with embedded defaults, in `folder` and on a free port; yield its client."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    ours = ("PISTON_", "DATABASE_URL", "CELERY_", "CACHE_URL", "SECRET_KEY", "AWS_", "DEBUG")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    environment |= {"PISTON_DATA_DIR": str(folder), "PORT": str(port)}
    log = folder / "log"
    manage = [sys.executable, str(settings.BASE_DIR / "manage.py")]
    with log.open("w") as output:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [*manage, "serve", "--end-with-parent"],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches only the demo, which then stops the server
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until_it_answers(process, f"{url}/v2/tasks")
        made = subprocess.run(  # noqa: S603 - our own command
            [*manage, "create_account", "Demo"],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        account = json.loads(made.stdout)
        yield Client(url, account["account_id"], account["api_key"])
    except Exception:
        print(f"The last lines of the server:\n{log.read_text()[-3000:]}", file=sys.stderr)  # noqa: T201
        raise
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise CommandError(f"The server did not stop within {STOP_SECONDS} s.") from None


def wait_until_it_answers(process: subprocess.Popen[bytes], address: str) -> None:
    """Return when `address` answers; raise CommandError if the server ends or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            request("GET", address)
        except RequestFailed:
            time.sleep(0.1)
        else:
            return
    raise CommandError("The server did not start.")
