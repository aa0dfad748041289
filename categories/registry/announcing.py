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
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.db import Error, connection
from django.db.models.functions import Now

from categories.models import RunningProcess
from categories.registry import finding
from categories.registry.refreshing import REFRESH_SECONDS
from piston.node import node_name
from piston.processes import lifetime

logger = logging.getLogger(__name__)

BEAT_SECONDS = 10.0  # between two heartbeats
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
            RunningProcess.objects.create(
                pk=self.key,
                role=self.role,
                node=node_name(),
                process_id=os.getpid(),
                process_space=process_space(),
                **changes,
            )
        if loaded != self._written:
            warn_of_other_versions(loaded)
        self._written, self._written_at = loaded, time.monotonic()


def warn_of_other_versions(loaded: dict[str, Any]) -> None:
    """Log each plugin that this process has in another version than is registered."""
    for name, said in loaded.items():
        if said["version"] and said["problem"]:
            logger.warning("The category %s: %s", name, said["problem"])


def process_space() -> str:
    """Return the host, and on Linux the container, whose process ids this process sees."""
    space = ""
    with suppress(OSError):
        space = str(Path("/proc/self/ns/pid").readlink())
    return f"{socket.gethostname()} {space}".strip()


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
