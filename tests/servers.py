"""Which real servers can the tests have? Private ones, started here and ended here.

Each listens on loopback at a free port, keeps its data in a temporary folder, and is a child of
this process: `with PostgreSQL() as database: database.url`. `kill9()` and `restart()` are there
for tests of what happens when a server dies. A program that is not on this machine is `Missing`.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

import pytest

START_SECONDS = 90
STOP_SECONDS = 20


class Missing(Exception):
    """A server's program is not on this machine; the message says how to get it."""


class StartFailed(Exception):
    """A server ended or did not answer while it was being started; the message is its log."""


class Server(ABC):
    """One private server: a temporary folder, a port and a process."""

    name: str
    stop_signal = signal.SIGTERM

    def __init__(self) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix=f"piston-{self.name.lower()}-"))
        self.process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def url(self) -> str:
        """Where clients find it."""

    @abstractmethod
    def command(self) -> Sequence[str]:
        """The program, in the foreground, with its arguments."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Tell whether it answers; raise nothing but OSError."""

    def prepare(self) -> None:
        """Do what has to be done once, before the first start."""
        self.folder.mkdir(exist_ok=True)

    def variables(self) -> Mapping[str, str]:
        """Its own variables, on top of an otherwise bare environment."""
        return {}

    def environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), **self.variables()}

    def start(self) -> None:
        """Start the process and wait until it answers."""
        log = self.folder / "log"
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [*die_with_parent(), *self.command()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=self.environment(),
                start_new_session=True,
            )
        try:
            wait_until(self._answers, seconds=START_SECONDS)
        except (TimeoutError, ChildProcessError) as error:
            self.kill9()
            said = log.read_text(errors="replace")[-3000:]
            raise StartFailed(f"{self.name} did not start: {error}\n{said}") from error

    def _answers(self) -> bool:
        assert self.process
        if self.process.poll() is not None:
            raise ChildProcessError(f"it ended with exit code {self.process.returncode}")
        with contextlib.suppress(OSError):
            return self.is_ready()
        return False

    def stop(self) -> None:
        """End the process in its orderly way, or hard if that takes too long."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(self.stop_signal)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill9()

    def kill9(self) -> None:
        """End it as a power cut would, with everything it has forked."""
        if self.process:
            send_signal(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def restart(self) -> None:
        """Start it again on the same data and port, after `kill9()` or `stop()`."""
        self.stop()
        self.start()

    def freeze(self) -> None:
        """Stop it in its tracks: connections stay open and nothing answers."""
        assert self.process
        send_signal(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on after `freeze()`."""
        assert self.process
        send_signal(self.process.pid, signal.SIGCONT)

    def __enter__(self) -> Self:
        try:
            self.prepare()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            self.stop()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)


class PostgreSQL(Server):
    """A database server with one empty database, as safe as a real one: fsync is on."""

    name = "PostgreSQL"
    stop_signal = signal.SIGINT  # "fast": open transactions are rolled back

    def __init__(self) -> None:
        self.programs = find_postgresql()
        self.other_variables: dict[str, str] = {}  # of the server itself
        super().__init__()

    @property
    def url(self) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/postgres"

    def prepare(self) -> None:
        if user := unprivileged_user():
            os.chown(self.folder, user.pw_uid, user.pw_gid)
        made = subprocess.run(
            [
                *as_user(unprivileged_user()),
                *(str(self.programs / "initdb"), "--pgdata", str(self.folder / "data")),
                *("--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"),
            ],
            check=False,
            capture_output=True,
            text=True,
            cwd=self.folder,
        )
        if made.returncode:
            raise StartFailed(f"initdb failed: {made.stderr}")

    def command(self) -> Sequence[str]:
        return [
            *as_user(unprivileged_user()),
            *("env", *(f"{name}={value}" for name, value in self.other_variables.items())),
            *(str(self.programs / "postgres"), "-D", str(self.folder / "data")),
            *("-c", "listen_addresses=127.0.0.1", "-c", f"port={self.port}"),
            *("-c", "unix_socket_directories=", "-c", "max_connections=200"),
            *("-c", "max_prepared_transactions=5"),
        ]

    def is_ready(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def take_over_from(self, other: PostgreSQL) -> None:
        """Become a copy of another server, which ends; all at the address that this one has."""
        other.stop()
        shutil.rmtree(self.folder / "data")
        shutil.move(other.folder / "data", self.folder / "data")
        for setting in ("standby.signal", "postgresql.auto.conf"):
            (self.folder / "data" / setting).unlink(missing_ok=True)
        self.start()


class Standby(PostgreSQL):
    """A streaming replica of another server, read-only until it is promoted."""

    name = "Standby"

    def __init__(self, primary: PostgreSQL) -> None:
        super().__init__()
        self.primary = primary

    def prepare(self) -> None:
        if user := unprivileged_user():
            os.chown(self.folder, user.pw_uid, user.pw_gid)
        made = subprocess.run(
            [
                *as_user(unprivileged_user()),
                *(str(self.programs / "pg_basebackup"), "--pgdata", str(self.folder / "data")),
                *("--host=127.0.0.1", f"--port={self.primary.port}", "--username=postgres"),
                *("--write-recovery-conf", "--checkpoint=fast", "--wal-method=stream"),
            ],
            check=False,
            capture_output=True,
            text=True,
            cwd=self.folder,
        )
        if made.returncode:
            raise StartFailed(f"pg_basebackup failed: {made.stderr}")

    def promote(self) -> None:
        """Let it become a server of its own, that takes writes."""
        import psycopg

        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("SELECT pg_promote()")


class PgBouncer(Server):
    """A pooler in front of a PostgreSQL server, in `session` or `transaction` mode."""

    name = "PgBouncer"
    stop_signal = signal.SIGINT

    def __init__(self, behind: PostgreSQL, mode: str) -> None:
        self.program = find_pgbouncer()
        self.behind = behind
        self.mode = mode
        super().__init__()

    @property
    def url(self) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/postgres"

    def prepare(self) -> None:
        (self.folder / "users").write_text('"postgres" ""\n')
        (self.folder / "pgbouncer.ini").write_text(
            f"[databases]\n* = host=127.0.0.1 port={self.behind.port}\n"
            "[pgbouncer]\nlisten_addr = 127.0.0.1\n"
            f"listen_port = {self.port}\nunix_socket_dir =\n"
            f"auth_type = trust\nauth_file = {self.folder / 'users'}\n"
            f"pool_mode = {self.mode}\ndefault_pool_size = 50\nmax_client_conn = 500\n"
        )
        if user := unprivileged_user():
            for path in (self.folder, *self.folder.iterdir()):
                os.chown(path, user.pw_uid, user.pw_gid)

    def command(self) -> Sequence[str]:
        return [
            *as_user(unprivileged_user()),
            *(str(self.program), str(self.folder / "pgbouncer.ini")),
        ]

    def is_ready(self) -> bool:
        socket.create_connection(("127.0.0.1", self.port), 1).close()
        return True


class Redis(Server):
    """A Redis broker; nothing is kept on disk."""

    name = "Redis"

    def __init__(self) -> None:
        self.program = find_redis()
        super().__init__()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> Sequence[str]:
        return [
            str(self.program),
            *("--bind", "127.0.0.1", "--port", str(self.port), "--save", ""),
            *("--dir", str(self.folder), "--maxmemory-policy", "noeviction"),
        ]

    def is_ready(self) -> bool:
        with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(7) == b"+PONG\r\n"


class RabbitMQ(Server):
    """A RabbitMQ broker with its own node name, port mapper and folders."""

    name = "RabbitMQ"

    def __init__(self) -> None:
        self.program = find_rabbitmq()
        super().__init__()
        self.distribution_port = free_port()
        self.mapper_port = free_port()
        self.mapper: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def prepare(self) -> None:
        (self.folder / "plugins").write_text("[].\n")
        (self.folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.default = 127.0.0.1:{self.port}\n"
            "disk_free_limit.absolute = 50MB\n"  # a full disk is not what is tested here
        )
        # RabbitMQ would start a mapper of its own and leave it behind
        self.mapper = subprocess.Popen(
            [
                *die_with_parent(),
                *("epmd", "-address", "127.0.0.1", "-port", str(self.mapper_port)),
            ],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def variables(self) -> Mapping[str, str]:
        return {
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self.mapper_port),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_DIST_PORT": str(self.distribution_port),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_LOG_BASE": str(self.folder),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_NODENAME": f"piston-{self.port}@localhost",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RUNNING_UNDER_SYSTEMD": "true",  # the process is the server itself, not a shell
        }

    def command(self) -> Sequence[str]:
        return [str(self.program)]

    def is_ready(self) -> bool:
        with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
            connection.settimeout(2)
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            return connection.recv(1) == b"\x01"  # a method frame: connection.start

    def erase(self) -> None:
        """Lose everything that was kept, while it is down: it starts as a new one."""
        shutil.rmtree(self.folder / "mnesia")

    def control(self, *arguments: str) -> None:
        """Run `rabbitmqctl` on this node; its own words are the error's."""
        loopback = {"RABBITMQ_CTL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}"}
        done = subprocess.run(
            [str(self.program.with_name("rabbitmqctl")), *arguments],
            cwd=self.folder,
            env=self.environment() | loopback,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise OSError(f"rabbitmqctl {' '.join(arguments)}: {done.stdout}{done.stderr}")

    def __exit__(self, *exception: object) -> None:
        super().__exit__(*exception)
        if self.mapper:
            self.mapper.kill()
            self.mapper.wait()


class ObjectStorage(Server):
    """An S3-compatible server, in memory, with one bucket."""

    name = "S3"
    bucket = "piston"

    def __init__(self) -> None:
        self.program = find_object_storage()
        super().__init__()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def settings(self) -> dict[str, str]:
        """The variables that make Piston Tasks keep its files here."""
        return {
            "PISTON_S3_BUCKET": self.bucket,
            "PISTON_S3_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "tests",
            "AWS_SECRET_ACCESS_KEY": "tests",
        }

    def storage(self) -> dict[str, Any]:
        """The product's own STORAGES entry that keeps files here."""
        from piston.settings import read_storage

        with pytest.MonkeyPatch.context() as environment:
            for name, value in self.settings.items():
                environment.setenv(name, value)
            return read_storage(self.bucket)

    def command(self) -> Sequence[str]:
        return [str(self.program), "--host", "127.0.0.1", "--port", str(self.port)]

    def start(self) -> None:
        super().start()
        import boto3

        boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="tests",
            aws_secret_access_key="tests",
        ).create_bucket(Bucket=self.bucket)

    def is_ready(self) -> bool:
        socket.create_connection(("127.0.0.1", self.port), 1).close()
        return True


AnyServer = TypeVar("AnyServer", bound=Server)


@contextlib.contextmanager
def started(kind: Callable[[], AnyServer]) -> Iterator[AnyServer]:
    """Start a server for a test; skip the test where its program is missing, but not in CI."""
    with needing_programs():
        server = kind()
    with server:
        yield server


@contextlib.contextmanager
def needing_programs() -> Iterator[None]:
    """Skip the test where a program is missing, but not in CI: there it is an error."""
    try:
        yield
    except Missing as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))


def find_postgresql() -> Path:
    """Return the folder of PostgreSQL's server programs: the newest of Debian's, or PATH's."""
    debian = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    found = [path.parent for path in sorted(debian, key=lambda path: int(path.parts[-3]))]
    if initdb := shutil.which("initdb"):
        found.insert(0, Path(initdb).resolve().parent)
    if not found:
        raise Missing("PostgreSQL was not found. On Debian and Ubuntu: apt-get install postgresql")
    if os.geteuid() == 0 and not shutil.which("setpriv"):
        raise Missing("PostgreSQL refuses to run as root, and setpriv (util-linux) was not found.")
    return found[-1]


def find_redis() -> Path:
    """Return Redis's server program."""
    return find("redis-server", package="redis-server")


def find_pgbouncer() -> Path:
    """Return PgBouncer's program."""
    debian = Path("/usr/sbin/pgbouncer")  # not in everybody's PATH
    return debian if debian.exists() else find("pgbouncer", package="pgbouncer")


def find_rabbitmq() -> Path:
    """Return RabbitMQ's server program itself, not Debian's wrapper that changes the user."""
    find("epmd", package="rabbitmq-server")
    program = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    return program if program.exists() else find("rabbitmq-server", package="rabbitmq-server")


def find_object_storage() -> Path:
    """Return moto's server program, which stands beside Python."""
    program = Path(sys.executable).with_name("moto_server")
    if not program.exists():
        raise Missing("moto's S3 server was not found: make setup-dev")
    return program


def find(program: str, *, package: str) -> Path:
    """Return the path of a program, or raise Missing with the package that has it."""
    if path := shutil.which(program):
        return Path(path)
    raise Missing(f"{program} was not found. On Debian and Ubuntu: apt-get install {package}")


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def unprivileged_user() -> pwd.struct_passwd | None:
    """Return who runs what refuses to run as root, or None when this is not root."""
    if os.geteuid() != 0:
        return None
    with contextlib.suppress(KeyError):
        return pwd.getpwnam("postgres")
    return pwd.getpwnam("nobody")


def as_user(user: pwd.struct_passwd | None) -> list[str]:
    """Return the words before a command that make it run as `user`."""
    if user is None:
        return []
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def die_with_parent() -> list[str]:
    """Return the words before a command that end it when this process dies."""
    return ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []


def family(process: int) -> list[int]:
    """Return `process` and everything that descends from it (Linux; elsewhere itself alone)."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found = [process]
    for member in found:
        found += children.get(member, [])
    return found


def send_signal(process: int, number: signal.Signals) -> None:
    """Send a signal to a process and everything that descends from it."""
    for member in family(process):
        with contextlib.suppress(ProcessLookupError):
            os.kill(member, number)


def wait_until(question: Callable[[], bool], *, seconds: float) -> None:
    """Ask until the answer is yes; raise TimeoutError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not question():
        if time.monotonic() > deadline:
            raise TimeoutError(f"there was no answer within {seconds} seconds")
        time.sleep(0.05)
