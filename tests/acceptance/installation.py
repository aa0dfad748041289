"""How does a test get a whole installation? Web, worker and beat as processes of their own."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import requests

from tests.servers import die_with_parent, free_port, send_signal, wait_until

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 120  # these machines are slow and noisy; nothing here measures time


class Installation:
    """The processes of the Procfile on one database, broker and storage; ended at the end."""

    def __init__(self, folder: Path, *, root: Path = ROOT, **variables: str) -> None:
        self.folder = folder
        self.root = root  # of the code that runs
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.logs = folder / "logs"
        self.logs.mkdir(parents=True)
        chosen = {"PISTON_DATA_DIR": str(folder / "data"), "PORT": str(self.port), **variables}
        bare = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self.environment = bare | chosen
        lines = self.manage("print_environment").splitlines()
        self.environment |= dict(line.split("=", 1) for line in lines)
        procfile = (root / "Procfile").read_text().splitlines()
        self.commands = dict(line.split(": ", 1) for line in procfile if line.strip())
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def manage(self, *arguments: str) -> str:
        """Run a management command and return what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def __enter__(self) -> Self:
        for name in self.commands:
            self.start(name)
        wait_until(self.answers, seconds=PATIENCE_SECONDS)
        return self

    def __exit__(self, *_exception: object) -> None:
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for name in list(self.processes):
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.processes[name].wait(20)
            self.kill(name)

    def start(
        self, name: str, *, inside: Sequence[str] = (), options: Sequence[str] = (), **other: str
    ) -> None:
        """Start one process of the Procfile; `worker-2` is a second `worker`.

        `inside` are the words before its command, `options` those behind it, `other` its own
        variables.
        """
        command = shlex.split(self.commands[name.partition("-")[0]])
        with (self.logs / name).open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [*die_with_parent(), *inside, *command, *options],
                cwd=self.root,
                env=self.environment | other,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self, name: str) -> None:
        """End a process and its children with SIGKILL, as a power cut would."""
        process = self.processes[name]
        send_signal(process.pid, signal.SIGKILL)
        process.wait()

    def answers(self) -> bool:
        """Does the web process serve?"""
        with contextlib.suppress(requests.ConnectionError, requests.Timeout):
            return requests.get(f"{self.url}/healthz", timeout=5).status_code == 200
        return False

    def log(self, name: str) -> str:
        """Return what a process has printed."""
        return (self.logs / name).read_text(errors="replace")


class Client:
    """A user of the API, signed in."""

    def __init__(self, installation: Installation, *options: str) -> None:
        self.installation = installation
        made = json.loads(installation.manage("create_account", "Acceptance", *options))
        self.account_id: str = made["account_id"]
        self.api_key: str = made["api_key"]
        self.url = f"{installation.url}/v2"
        self.session = requests.Session()
        self.session.headers["X-Auth-Token"] = self.sign_in()
        self.tasks = f"{self.url}/accounts/{self.account_id}/tasks"

    def sign_in(self) -> str:
        """Trade the API key for a token."""
        body = {"data": {"api_key": self.api_key}}
        answer = requests.put(f"{self.url}/api_auth", json=body, timeout=30)
        assert answer.status_code == 201, answer.text
        token: str = answer.json()["auth_token"]
        return token

    def upload(self, content: bytes | Iterator[bytes], **query: str) -> str:
        """Create a task from a CSV and return its id."""
        answer = self.session.put(
            self.tasks, params=query, data=content, headers={"Content-Type": "text/csv"}, timeout=60
        )
        assert answer.status_code == 201, answer.text
        task_id: str = answer.json()["data"]["_read_only"]["id"]
        return task_id

    def call(self, method: str, path: str) -> dict[str, Any]:
        """Call something about a task and return its representation."""
        answer = self.session.request(method, f"{self.tasks}/{path}", timeout=60)
        assert answer.status_code == 200, answer.text
        task: dict[str, Any] = answer.json()["data"]["_read_only"]
        return task

    def get(self, task_id: str) -> dict[str, Any]:
        """Return how a task stands."""
        return self.call("GET", task_id)

    def wait_for(self, task_id: str, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Ask how a task stands until the condition holds."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition(task := self.get(task_id)):
            assert time.monotonic() < deadline, f"still {task}"
            time.sleep(0.02)
        return task

    def wait_for_end(self, task_id: str) -> dict[str, Any]:
        """Wait until a task is final."""
        return self.wait_for(task_id, lambda task: task["status"] not in {"pending", "executing"})

    def download(self, task_id: str, name: str) -> bytes:
        """Return one of a task's files."""
        answer = self.session.get(
            f"{self.tasks}/{task_id}",
            params={"csv_name": name},
            headers={"Accept": "text/csv"},
            timeout=120,
        )
        assert answer.status_code == 200, answer.text
        return answer.content
