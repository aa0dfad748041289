"""How does the web server run? gunicorn's configuration file; reasons in docs/operating.md."""

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]

from piston.environment import read_integer, read_text
from piston.settings import PORT

bind = f"{read_text('PISTON_BIND_ADDRESS', '127.0.0.1')}:{PORT}"
worker_class = "gthread"  # WSGI hands an upload over as a stream; ASGI would spool it first
workers = read_integer("PISTON_WEB_PROCESSES", 1, minimum=1)
threads = read_integer("PISTON_WEB_THREADS", 16, minimum=1)  # per process: requests at one time

# A gthread worker answers for itself once a second, however long its requests take: this ends
# a process that hangs as a whole, never an upload that takes an hour.
timeout = 60  # seconds
graceful_timeout = 8  # seconds that open requests get at a stop; below what a supervisor waits
keepalive = 75  # seconds; more than the idle time-out of usual proxies (60)

control_socket_disable = True  # no socket in anybody's home folder
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a heartbeat in memory
proc_name = "piston-web"


def on_starting(server: Any) -> None:
    """Refuse to start with wrong settings or a broken category, as workers and commands do."""
    del server
    import django
    from django.core.management import call_command

    django.setup()
    call_command("check")


SILENCE_SECONDS = 60  # of a client in mid-request, before its thread serves somebody else


def pre_request(worker: Any, request: Any) -> None:
    """Give up on a client that stalls; without a limit, a few of them would hold all threads."""
    del worker
    request.unreader.sock.settimeout(SILENCE_SECONDS)


DRAIN_BYTES = 8 * 2**20  # of a body that nobody wanted; a client that sends more is cut off
DRAIN_SECONDS = 5


def post_request(worker: Any, request: Any, environ: Any, response: Any) -> None:
    """Take in what a refused client is still sending, within bounds, after it was answered.

    A connection that is closed on unread bytes is reset, and a client that writes everything before
    it reads anything would never see its answer. gunicorn itself takes 64 KiB.
    """
    del worker, environ, response
    deadline = time.monotonic() + DRAIN_SECONDS
    left = 0 if request.body.failed else DRAIN_BYTES
    with suppress(OSError, ParseException):
        while left > 0 and (seconds := deadline - time.monotonic()) > 0:
            request.unreader.sock.settimeout(seconds)
            block = request.body.read(min(left, 64 * 1024))
            left = left - len(block) if block else 0
