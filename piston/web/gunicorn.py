"""gunicorn's configuration file; docs/operating.md has the reasons."""

import resource
import signal
import sys
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from piston.environment import in_brackets, read_integer
from piston.processes import orphans

try:
    from piston.settings import PISTON_BIND_ADDRESS, PISTON_WEB_THREADS, PORT

    workers = read_integer("PISTON_WEB_PROCESSES", 1, minimum=1)
except ImproperlyConfigured as error:
    sys.exit(str(error))  # the sentence alone: gunicorn would print a traceback

bind = f"{in_brackets(PISTON_BIND_ADDRESS)}:{PORT}"
worker_class = "piston.web.worker.Worker"  # gunicorn's threads, which do not wait for slow clients
threads = PISTON_WEB_THREADS
backlog = 2048  # connections that the kernel keeps until we accept them

# A worker sends a heartbeat once a second, however long its requests take. So this ends a process
# that hangs as a whole, never an upload that takes an hour.
timeout = 60  # seconds
graceful_timeout = 8  # seconds for open requests at a stop; less than a supervisor waits
keepalive = 75  # seconds; more than the idle time-out of usual proxies (60)
forwarded_allow_ips = ""  # no client may set the path or scheme of its request by a header
sendfile = False  # would wait for the client inside the kernel

control_socket_disable = True  # no socket in a home folder
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a heartbeat in memory
proc_name = "piston-web"

OTHER_FILES = 512  # files that a process has open besides its connections


def on_starting(server: Any) -> None:
    """Refuse to start with wrong settings or a broken category, as workers and commands do."""
    del server
    import django
    from django.core.management import call_command

    from piston.processes.supervision import end_with_supervisor

    end_with_supervisor()
    django.setup()
    # These check what they rely on. In a worker, a failed check would restart it endlessly.
    from piston.http import requests  # noqa: F401
    from piston.web import refusals  # noqa: F401

    call_command("check")


def post_fork(_server: Any, worker: Any) -> None:
    """End with the parent; gunicorn's own check would leave the port taken for 9 s more."""
    orphans.end_with_parent(worker.ppid, signal.SIGKILL)


def post_worker_init(worker: Any) -> None:
    """Set up what needs Django, or the process that serves."""
    from piston.database import schema
    from piston.processes import lifetime
    from piston.web import refusals

    refusals.answer_in_the_envelope()
    schema.say_at_start()
    allow_files(worker)
    lifetime.started.send(None, role="web")


def worker_exit(_server: Any, _worker: Any) -> None:
    """Tell the rest of the code that this process serves no more requests."""
    from piston.processes import lifetime

    lifetime.ending.send(None)


def allow_files(worker: Any) -> None:
    """Raise the limit of open files to what connections need, or accept fewer connections."""
    wanted = worker.worker_connections + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft < wanted:
        worker.worker_connections = max(soft - OTHER_FILES, soft // 2)
        worker.log.warning(
            "Only %s connections at one time: no more files may be open (ulimit -n)",
            worker.worker_connections,
        )
