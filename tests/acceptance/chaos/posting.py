"""How does the harness put messages on the broker, or take them away? With its own connection."""

from __future__ import annotations

import contextlib
import json
import pickle
import uuid
from collections.abc import Mapping
from typing import Any, Self

import kombu

from tests.acceptance.chaos.scene import EMBEDDED, RABBITMQ, REDIS, SLICES, UPKEEP, Scene

RUN_SLICE = "tasks_app.run_slice"
ASSEMBLE_OUTPUT = "tasks_app.assemble_output"
SETTLE_ROWS = "tasks_app.settle_rows"
SWEEP = "tasks_app.sweep"
JSON = "application/json"


class Post:
    """A connection to a scene's broker, for messages that nobody in the product has sent."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.queue_folder = scene.installation.folder / "data" / "messages" / "queue"
        self.connection = kombu.Connection(self._url(), transport_options=self._options())

    def _url(self) -> str:
        return "filesystem://" if self.scene.kind == EMBEDDED else self.scene.broker.url

    def _options(self) -> dict[str, Any]:
        folder = str(self.queue_folder)
        if self.scene.kind == EMBEDDED:
            return {"data_folder_in": folder, "data_folder_out": folder}
        return {"confirm_publish": True} if self.scene.kind == RABBITMQ else {}

    def __enter__(self) -> Self:
        self.channel = self.connection.channel()
        self.producer = kombu.Producer(self.channel)
        return self

    def __exit__(self, *_exception: object) -> None:
        self.connection.release()

    def send(
        self,
        name: str,
        *arguments: Any,
        message_id: str = "",
        queue: str = SLICES,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Put a well-formed message into a queue, as Celery would (its protocol 2)."""
        message_id = message_id or str(uuid.uuid4())
        usual = {"lang": "py", "task": name, "id": message_id, "root_id": message_id}
        body = json.dumps([arguments, {}, {}]).encode()
        self.send_raw(body, usual | dict(headers or {}), queue=queue)

    def send_raw(
        self,
        body: bytes,
        headers: dict[str, Any],
        *,
        content_type: str = JSON,
        queue: str = SLICES,
    ) -> None:
        """Put anything into a queue."""
        self.producer.publish(
            body,
            exchange="",
            routing_key=self.scene.queue(queue),
            headers=headers,
            content_type=content_type,
            content_encoding="binary" if content_type != JSON else "utf-8",
            correlation_id=headers.get("id"),
            delivery_mode=2,
        )

    def send_code(self, act: Any, *arguments: Any) -> None:
        """Put a pickled call into a queue: whoever unpickles the message makes that call."""
        body = pickle.dumps(Call(act, *arguments))
        headers = {"lang": "py", "task": RUN_SLICE, "id": str(uuid.uuid4())}
        self.send_raw(body, headers, content_type="application/x-python-serialize")

    def tear(self, share: float) -> int:
        """Cut the files of waiting messages short, as a power cut may; return how many."""
        paths = list(self.queue_folder.glob("*.msg"))
        for path in paths:
            with contextlib.suppress(FileNotFoundError), path.open("r+b") as file:
                file.truncate(int(path.stat().st_size * share))
        return len(paths)

    def purge(self) -> None:
        """Throw away every message that waits."""
        if self.scene.kind == EMBEDDED:
            for path in self.queue_folder.glob("*.msg"):
                path.unlink(missing_ok=True)
            return
        for queue in (SLICES, UPKEEP):
            self.channel.queue_purge(self.scene.queue(queue))

    def delete_queues(self) -> None:
        """Delete the queues with everything in them, and who listens to them."""
        for queue in (SLICES, UPKEEP):
            self.channel.queue_delete(self.scene.queue(queue))

    def unbind_queues(self) -> None:
        """Take the queues away from the exchange by which Celery sends, if there is one."""
        for queue in (SLICES, UPKEEP):
            own = self.scene.queue(queue)
            self.channel.queue_unbind(own, SLICES, own)

    def flush(self) -> None:
        """Let Redis forget everything: queues, bindings, messages in hand."""
        assert self.scene.kind == REDIS
        self.channel.client.flushall()


class Call:
    """Pickles as the call of a function."""

    def __init__(self, act: Any, *arguments: Any) -> None:
        self.act = act
        self.arguments = arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.act, self.arguments
