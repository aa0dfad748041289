"""On what does a fault fall? A whole installation on real servers, with two workers and a world."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import boto3
import kombu
import psycopg

from tests.acceptance.chaos.category import TABLE
from tests.acceptance.chaos.links import Link
from tests.acceptance.chaos.world import World
from tests.acceptance.installation import ROOT, Client, Installation
from tests.servers import ObjectStorage, PostgreSQL, RabbitMQ, Redis, wait_until

if TYPE_CHECKING:
    from tests.acceptance.chaos.work import Work

CLAIM_SECONDS = 6
SWEEP_SECONDS = 1
SILENCE_SECONDS = 10  # tasks_app.upkeep.sweeping: then a message counts as lost
WORKERS = ("worker-1", "worker-2")
SLICES, UPKEEP = "piston.slices", "piston.upkeep"  # queues; on the broker they have the id, too
KEY = "SELECT key FROM installation_installation"
USUAL_PACE = 0.001  # seconds per row
EMBEDDED, RABBITMQ, REDIS = "embedded", "RabbitMQ", "Redis"
SETTINGS = {
    "PISTON_CLAIM_SECONDS": str(CLAIM_SECONDS),
    "PISTON_SWEEP_SECONDS": str(SWEEP_SECONDS),
    "PISTON_SLICE_MILLISECONDS": "500",
    "PISTON_REQUESTS_PER_MINUTE": "100000",
    "PISTON_SIGN_INS_PER_MINUTE": "100000",
    "PISTON_CATEGORIES": "tests.acceptance.chaos.category.Chaos",
    "SECRET_KEY": "known-to-everybody-only-for-tests-of-faults",
    "ALLOWED_HOSTS": "127.0.0.1",
}


class Servers:
    """The servers of a run; each is started when it is first wanted."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.databases = 0
        self.buckets = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    @cached_property
    def postgresql(self) -> PostgreSQL:
        return self._stack.enter_context(PostgreSQL())

    @cached_property
    def rabbitmq(self) -> RabbitMQ:
        return self._stack.enter_context(RabbitMQ())

    @cached_property
    def redis(self) -> Redis:
        return self._stack.enter_context(Redis())

    @cached_property
    def s3(self) -> ObjectStorage:
        return self._stack.enter_context(ObjectStorage())

    def new_database(self) -> str:
        """Return the URL of an empty database."""
        self.databases += 1
        name = f"chaos_{self.databases}"
        with psycopg.connect(self.postgresql.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"{self.postgresql.url.removesuffix('/postgres')}/{name}"

    def new_bucket(self) -> dict[str, str]:
        """Return the variables that make an installation keep its files in an empty bucket."""
        self.buckets += 1
        options = self.s3.settings | {"PISTON_S3_BUCKET": f"chaos-{self.buckets}"}
        open_bucket(options).create()
        return options


def open_bucket(options: dict[str, str]) -> Any:
    """Return the bucket that an installation with these variables has."""
    return boto3.resource(
        "s3",
        endpoint_url=options["PISTON_S3_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id=options["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=options["AWS_SECRET_ACCESS_KEY"],
    ).Bucket(options["PISTON_S3_BUCKET"])


class Scene:
    """One installation: `kind` says on what, `root` whose code runs."""

    def __init__(self, kind: str, folder: Path, servers: Servers, root: Path = ROOT) -> None:
        self.kind = kind
        self.servers = servers
        self.pace_file = folder / "pace"
        self.world = World()
        folder.mkdir(parents=True)
        self.set_pace(USUAL_PACE)
        variables = SETTINGS | {"CHAOS_PACE": str(self.pace_file), "CHAOS_WORLD": self.world.url}
        self.database_url = "" if kind == EMBEDDED else servers.new_database()
        if kind != EMBEDDED:
            variables |= {"DATABASE_URL": self.database_url, "CELERY_BROKER_URL": self.broker.url}
        self.storage_link: Link | None = None  # all processes reach their object storage by it
        self.s3: dict[str, str] = {}
        if kind == REDIS:
            self.s3 = servers.new_bucket()
            self.storage_link = Link(self.s3["PISTON_S3_ENDPOINT_URL"])
            variables |= self.s3 | {"PISTON_S3_ENDPOINT_URL": self.storage_link.url}
        self.installation = Installation(folder, root=root, **variables)
        self.execute(TABLE.format(key="serial" if self.database_url else "integer"))
        self.made_links = ExitStack()
        self.lost_files: set[str] = set()  # that a fault has deleted
        self.altered: set[str] = set()  # processes that do not run as they usually do

    @property
    def broker(self) -> RabbitMQ | Redis:
        """The broker's server."""
        return self.servers.rabbitmq if self.kind == RABBITMQ else self.servers.redis

    @property
    def files_folder(self) -> Path:
        """Where the files are, unless they are in a bucket."""
        return self.installation.folder / "data" / "files"

    def __enter__(self) -> Self:
        self.world.__enter__()
        if self.storage_link:
            self.storage_link.__enter__()
        self.restore()
        self.client = Client(self.installation)
        return self

    def __exit__(self, *exception: object) -> None:
        self.made_links.close()
        for name in self.installation.processes:
            self.installation.kill(name)
        if self.storage_link:
            self.storage_link.__exit__()
        self.world.__exit__()

    def restore(self) -> None:
        """Bring back every process that belongs here, and end those that do not."""
        processes = self.installation.processes
        usual = ("web", "beat", *WORKERS)
        for name in [name for name in processes if name not in usual]:
            self.installation.kill(name)
            del processes[name]
        for name in usual:
            if name not in processes or processes[name].poll() is not None:
                self.start(name)
        wait_until(self.installation.answers, seconds=60)

    def start(
        self, name: str, *, inside: Sequence[str] = (), options: Sequence[str] = (), **other: str
    ) -> None:
        """Start a process; workers have a name of their own each."""
        (self.altered.add if inside or other else self.altered.discard)(name)
        named = ["--hostname", f"{name}@%h"] if name.startswith("worker") else []
        self.installation.start(name, inside=inside, options=[*named, *options], **other)

    def kill(self, *names: str) -> None:
        """End processes as a power cut would."""
        for name in names:
            self.installation.kill(name)

    def stop(self, *names: str) -> None:
        """End processes in order."""
        for name in names:
            self.installation.processes[name].terminate()
        for name in names:
            self.installation.processes[name].wait(30)

    def assert_workers_live(self, *names: str) -> None:
        """Raise when a worker (of these, or any) has ended; nobody here starts it again."""
        for name in names or WORKERS:
            code = self.installation.processes[name].poll()
            assert code is None, f"{name} ended with exit code {code}"

    def clear(self, work: Work) -> None:
        """Heal what a fault left behind and end tasks that still run."""
        for name in self.altered:
            self.kill(name)
        self.altered.clear()
        self.made_links.close()
        if self.storage_link:
            self.storage_link.heal()
        self.world.let_go()
        self.set_pace(USUAL_PACE)
        self.restore()
        for sent in work.sent:
            with contextlib.suppress(AssertionError):
                self.client.call("PATCH", f"{sent.task_id}/stop")

    def set_pace(self, seconds_per_row: float) -> None:
        """Say how long a row takes from now on."""
        fresh = self.pace_file.with_suffix(".new")
        fresh.write_text(str(seconds_per_row))
        fresh.replace(self.pace_file)

    def execute(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a statement on the installation's database; past any fault but a dead server."""
        if not self.database_url:
            path = self.installation.folder / "data" / "piston.sqlite3"
            with contextlib.closing(sqlite3.connect(path, timeout=60)) as file, file:
                return file.execute(statement.replace("%s", "?"), values).fetchall()
        with psycopg.connect(self.database_url, connect_timeout=5) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    @cached_property
    def key(self) -> str:
        """The id of the installation; "" of a release before there were ids."""
        try:
            self.execute(KEY)
        except (psycopg.errors.UndefinedTable, sqlite3.OperationalError):
            return ""
        # whoever needs it first makes it
        return str(self.keep_trying(lambda: self.execute(KEY)[0][0], seconds=60))

    def queue(self, name: str) -> str:
        """Return what a queue is called on the broker."""
        return f"{name}.{self.key}" if self.key else name

    def waiting_messages(self) -> int:
        """Count the messages about tasks that the broker keeps; there may always be a sweep."""
        if self.kind == EMBEDDED:
            queue = self.installation.folder / "data" / "messages" / "queue"
            return sum(1 for path in queue.glob(f"*{SLICES}*"))
        with kombu.Connection(self.broker.url) as connection:
            channel = connection.channel()
            if self.kind == REDIS:
                own = self.queue(SLICES)
                in_hand = (own.encode() in kept for kept in channel.client.hvals("unacked"))
                return int(channel.client.llen(own)) + sum(in_hand)
            declared = channel.queue_declare(self.queue(SLICES), passive=True)
            return int(declared.message_count)

    def stored_files(self) -> set[str]:
        """Return the names of all files in storage."""
        if self.kind != REDIS:
            return {
                str(path.relative_to(self.files_folder))
                for path in self.files_folder.rglob("*")
                if path.is_file()
            }
        return {each.key for each in open_bucket(self.s3).objects.all()}

    def link_to_database(self) -> Link:
        """Return a link in front of the database; processes that get its URL depend on it."""
        return self.made_links.enter_context(Link(self.database_url))

    def keep_trying(self, act: Callable[[], Any], *, seconds: float) -> Any:
        """Do something until it goes well."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                return act()
            except Exception:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
