"""Announces this process in the database, with the plugins that it has loaded.

A thread does so in each process of web and workers. It looks for new plugins every two seconds,
also while the process is idle, and writes only what has changed, or a heartbeat.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.db import Error, connection
from django.db.models import Q
from django.db.models.functions import Now

from categories.models import RunningProcess
from categories.registry import finding
from categories.registry.refreshing import REFRESH_SECONDS
from piston.node import node_name
from piston.processes import lifetime

logger = logging.getLogger(__name__)

BEAT_SECONDS = 10.0  # between two heartbeats
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")  # another one after each start of the host
END_SECONDS = 2.0  # to wait for the thread when the process ends


class Announcer:
    """The thread that announces this process until it ends."""

    def __init__(self, role: str) -> None:
        self.role = role
        self.key = uuid4().hex
        self._ends = threading.Event()
        self._written: dict[str, Any] | None = None
        self._written_at = float("-inf")  # monotonic seconds
        self._thread = threading.Thread(target=self.run, name="announcer", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def run(self) -> None:
        """Look and announce, until the process ends."""
        while True:
            self.announce()
            if self._ends.wait(REFRESH_SECONDS):
                break
        with suppress(Error):
            RunningProcess.objects.filter(pk=self.key).delete()
        connection.close()

    def stop(self) -> None:
        """Let the thread remove the announcement, and wait for it a moment."""
        self._ends.set()
        self._thread.join(END_SECONDS)

    def announce(self) -> None:
        """Load what is new, and write what has changed; while the database is away, do nothing."""
        try:
            finding.refresh()
            self.write(finding.answers())
        except Error as error:  # those who serve and work say so, at their own pace
            logger.debug("This process could not be announced: %s", error)
        except Exception:
            logger.exception("This process could not be announced")
        finally:
            connection.close()

    def write(self, loaded: dict[str, Any]) -> None:
        """Write the row of this process, if it has changed or a heartbeat is due."""
        is_due = time.monotonic() - self._written_at >= BEAT_SECONDS
        if loaded == self._written and not is_due:
            return
        changes = {"seen_at": Now(), "loaded": loaded}
        if not RunningProcess.objects.filter(pk=self.key).update(**changes):
            self._forget_dead()
            RunningProcess.objects.create(
                pk=self.key, role=self.role, node=node_name(), **self._place(), **changes
            )
        if loaded != self._written:
            warn_of_other_versions(loaded)
        self._written, self._written_at = loaded, time.monotonic()

    def _forget_dead(self) -> None:
        """Delete the rows of processes that were killed: the one that had this id, and old ones.

        Without this, one that was killed would count as running because this process runs.
        """
        old = Q(seen_at__lt=Now() - timedelta(days=1))
        RunningProcess.objects.filter(Q(**self._place()) | old).delete()

    def _place(self) -> dict[str, Any]:
        return {"process_id": os.getpid(), "process_space": process_space()}


def warn_of_other_versions(loaded: dict[str, Any]) -> None:
    """Log each plugin that this process has in another version than is registered."""
    for name, said in loaded.items():
        if said["version"] and said["problem"]:
            logger.warning("The category %s: %s", name, said["problem"])


def process_space() -> str:
    """Return the host, and on Linux its start and the container: the scope of a process id."""
    words = [socket.gethostname()]
    with suppress(OSError):
        words.append(BOOT_ID.read_text().strip())
        words.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(words)


_announcers: list[Announcer] = []  # of this process: one, once it has started


def install() -> None:
    """Announce each process from its start to its end."""
    lifetime.started.connect(start)
    lifetime.ending.connect(stop)


def uninstall() -> None:
    """Announce no process that starts from now on."""
    lifetime.started.disconnect(start)
    lifetime.ending.disconnect(stop)


def start(role: str, **_: Any) -> None:
    """Announce this process from now on."""
    announcer = Announcer(role)
    _announcers.append(announcer)
    announcer.start()


def stop(**_: Any) -> None:
    """Announce this process no longer."""
    while _announcers:
        _announcers.pop().stop()
