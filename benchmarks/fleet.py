"""How is a whole installation measured? The Procfile's processes on servers, and an eye on both."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import psycopg

from benchmarks.category import MARKS, TABLE
from benchmarks.measuring import peak_memory
from tests.acceptance.chaos.scene import Servers
from tests.acceptance.installation import Client, Installation
from tests.servers import family

LOOK_SECONDS = 0.001  # between two looks into the database
PATIENCE_SECONDS = 300
SETTINGS = {  # nothing that a user would have to tune
    "PISTON_REQUESTS_PER_MINUTE": "1000000",
    "PISTON_SIGN_INS_PER_MINUTE": "1000000",
    "PISTON_CATEGORIES": "benchmarks.category.Benchmark",
    "SECRET_KEY": "known-to-everybody-only-for-benchmarks",
    "ALLOWED_HOSTS": "127.0.0.1",
}


class Fleet:
    """One installation on PostgreSQL and a broker, with so many processes in its worker."""

    def __init__(
        self,
        servers: Servers,
        broker_url: str,
        folder: Path,
        *,
        processes: int,
        **variables: str,
    ) -> None:
        self.marks = folder / "marks"
        database_url = servers.new_database()
        self.installation = Installation(
            folder,
            DATABASE_URL=database_url,
            CELERY_BROKER_URL=broker_url,
            PISTON_WORKER_PROCESSES=str(processes),
            **{MARKS: str(self.marks)},
            **SETTINGS,
            **variables,
        )
        self.processes = processes
        self.database = psycopg.connect(database_url, autocommit=True)
        self.database.execute(TABLE)

    def __enter__(self) -> Self:
        self.installation.__enter__()
        self.client = Client(self.installation)
        self.warm_up()
        return self

    def __exit__(self, *exception: object) -> None:
        self.database.close()
        self.installation.__exit__(*exception)

    def warm_up(self) -> None:
        """Let every process do something once, so that none has yet to begin."""
        for _ in range(4 * self.processes):
            self.start(task := self.upload(10))
            self.wait_for_end(task)

    def upload(self, rows: int, action: str = "nothing", *, client: Client | None = None) -> str:
        """Create a task of so many rows and return its id."""
        content = b"name\n" + b"".join(b"r%07d\n" % number for number in range(rows))
        return (client or self.client).upload(content, category="benchmark", action=action)

    def start(self, task_id: str, *, client: Client | None = None) -> None:
        """Start a task."""
        (client or self.client).call("PATCH", task_id)

    def look_for(self, query: str, *values: Any) -> Any:
        """Look into the database again and again until a query has an answer; return it."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (row := self.database.execute(query, values).fetchone()) is None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"nothing after {PATIENCE_SECONDS} s: {query} {values}")
            time.sleep(LOOK_SECONDS)
        return row

    def wait_for_row(self, task_id: str) -> None:
        """Wait until the first row of a task is committed."""
        self.look_for("SELECT 1 FROM tasks_app_task WHERE id = %s AND success_count > 0", task_id)

    def wait_for_end(self, task_id: str) -> None:
        """Wait until a task has ended and its output can be downloaded."""
        self.look_for("SELECT 1 FROM tasks_app_task WHERE id = %s AND is_assembled", task_id)

    def time(self, *steps: Callable[[], object]) -> float:
        """Return the seconds that some steps take together."""
        started = time.perf_counter()
        for step in steps:
            step()
        return time.perf_counter() - started

    def time_task(self, task_id: str) -> float:
        """Return the seconds from a task's start until its output can be downloaded."""
        return self.time(lambda: self.start(task_id), lambda: self.wait_for_end(task_id))

    def peaks(self) -> dict[str, float]:
        """Return the most memory that the processes have had, added up by role, in MiB."""
        found = {}
        for name, process in self.installation.processes.items():
            members = []
            for member in family(process.pid):
                with suppress(OSError, IndexError):  # it has ended meanwhile
                    members.append(peak_memory(member))
            found[f"{name} ({len(members)} processes)"] = sum(members)
        return found


@contextmanager
def fleet(broker: str, *, processes: int = 2, **variables: str) -> Iterator[Fleet]:
    """Yield an installation on servers of its own; `broker` is RabbitMQ or Redis."""
    with Servers() as servers, TemporaryDirectory(prefix="piston-bench-") as folder:
        server = servers.rabbitmq if broker == "RabbitMQ" else servers.redis
        with Fleet(
            servers, server.url, Path(folder) / "fleet", processes=processes, **variables
        ) as running:
            yield running
