"""How do messages travel through a folder? As kombu's `filesystem://`, but whole or not at all.

kombu makes a file and then writes it: whoever reads in between, or after a power cut or a full
disk, finds a torn message, and its worker ends with an error. The broker only wakes workers up,
so what cannot be read is dropped and the sweeper sends again.
"""

from __future__ import annotations

import logging
import time
import uuid
from contextlib import suppress
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.exceptions import ChannelError
from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.json import dumps

logger = logging.getLogger(__name__)

TORN_SECONDS = 600  # then nobody is writing it any more: writing one takes milliseconds


class Channel(filesystem.Channel):  # type: ignore[misc]  # kombu has no types
    """A channel whose messages appear in the folder when they are complete."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._delete_torn()

    def _delete_torn(self) -> None:
        """Delete what processes left that were killed while they wrote a message."""
        before = time.time() - TORN_SECONDS
        for torn in Path(self.data_folder_out).glob("*.new"):
            with suppress(OSError):  # another process was faster, or may not
                if torn.stat().st_mtime < before:
                    torn.unlink()

    def _put(self, queue: str, payload: Any, **_: Any) -> None:
        """Write a message under another name, then give it its own: that is one step."""
        moment = round(time.monotonic() * 1000)  # workers take the first in alphabetical order
        torn = Path(self.data_folder_out) / f"{moment}_{uuid.uuid4()}.{queue}.new"
        try:
            torn.write_text(dumps(payload))
            torn.replace(torn.with_suffix(".msg"))
        except OSError as error:
            torn.unlink(missing_ok=True)
            raise ChannelError(f"The message cannot be put into {torn.parent}: {error}") from error

    def _get(self, queue: str) -> Any:
        """Take the next message; raises Empty, also when it is not one."""
        try:
            return super()._get(queue)
        except ValueError as error:
            logger.warning("A message of %s was torn and is dropped: %s", queue, error)
            raise Empty from error

    def _queue_bind(self, exchange: str, *binding: str) -> None:
        """Write down which queue listens to an exchange; a torn list is begun anew."""
        try:
            super()._queue_bind(exchange, *binding)
        except ValueError as error:
            file: Path = self._exchange_file(exchange)
            logger.warning("%s was torn and is made again: %s", file, error)
            file.unlink(missing_ok=True)
            super()._queue_bind(exchange, *binding)

    def get_table(self, exchange: str) -> Any:
        """Return who listens to an exchange; nobody when that list is torn."""
        try:
            return super().get_table(exchange)
        except ValueError:
            return []


class Transport(filesystem.Transport):  # type: ignore[misc]  # kombu has no types
    """kombu's transport with these channels."""

    Channel = Channel


def take_over() -> None:
    """Let this be what `filesystem://` means, to Celery and to everybody else here."""
    TRANSPORT_ALIASES["filesystem"] = f"{__name__}:{Transport.__name__}"
