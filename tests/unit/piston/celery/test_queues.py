"""Do an installation's messages stay in it, whatever its queues are called?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from piston.celery import application as wiring
from piston.celery import foreign_messages, queues

OWN, OTHER = "0011223344556677", "8899aabbccddeeff"
SWEEP = "tests.sweep"


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Yield a Celery application of the installation OWN."""
    for module in (queues, foreign_messages):
        monkeypatch.setattr(module, "identify", lambda: OWN)
    monkeypatch.setattr(wiring.identity, "identify", lambda: OWN)
    monkeypatch.setattr(queues, "PAUSE_SECONDS", 0)
    app = wiring.Application(
        "tests",
        broker="memory://",
        task_cls=foreign_messages.Message,
        set_as_current=False,
        fixups=[],
    )
    app.conf.update(
        task_default_queue="piston.slices",
        task_routes={SWEEP: {"queue": "piston.upkeep"}},
    )
    yield app
    app.close()


def take(app: Any, queue: str) -> Any:
    """Return the message in a queue of the broker; None if there is none."""
    with app.connection() as connection:
        channel = connection.default_channel
        channel.queue_declare(queue)
        return channel.basic_get(queue, no_ack=True)


@pytest.mark.parametrize(
    ("name", "queue"), [("tests.slice", "piston.slices"), (SWEEP, "piston.upkeep")]
)
def test_a_message_is_sent_to_this_installations_queue_and_says_so(
    app: Any, name: str, queue: str
) -> None:
    app.send_task(name, args=["a task"])

    message = take(app, f"{queue}.{OWN}")

    assert message.headers["task"] == name
    assert message.headers[queues.OWNER] == OWN


def test_no_binding_is_needed_that_could_be_removed(app: Any) -> None:
    app.send_task("tests.slice")

    assert take(app, f"piston.slices.{OWN}").delivery_info["exchange"] == ""
    with app.connection() as connection:
        assert connection.default_channel.state.exchanges == {}


def test_headers_of_the_sender_stay(app: Any) -> None:
    app.send_task("tests.slice", headers={"celery_beat_task": True})

    assert take(app, f"piston.slices.{OWN}").headers["celery_beat_task"] is True


@pytest.mark.parametrize("typed", ["piston.slices,piston.upkeep", None])
def test_a_worker_listens_to_this_installations_queues(app: Any, typed: str | None) -> None:
    app.amqp.queues.select(typed.split(",") if typed else None)

    assert sorted(app.amqp.queues.consume_from) == [
        f"piston.slices.{OWN}",
        f"piston.upkeep.{OWN}",
    ]


def test_a_worker_listens_to_one_queue_by_the_name_that_people_type(app: Any) -> None:
    app.amqp.queues.select(["piston.upkeep"])

    assert list(app.amqp.queues.consume_from) == [f"piston.upkeep.{OWN}"]


def test_queues_are_quorum_queues_where_the_settings_say_so(app: Any) -> None:
    app.conf.update(task_default_queue_type="quorum")

    for queue in app.amqp.queues.values():
        assert queue.queue_arguments == {"x-queue-type": "quorum"}


def receive(task: Any, owner: str | None, *arguments: Any) -> Any:
    """Receive a message as a worker does."""
    headers = {} if owner is None else {queues.OWNER: owner}
    task.push_request(id="a message", args=arguments, kwargs={}, **headers)
    try:
        return task(*arguments)
    finally:
        task.pop_request()


@pytest.mark.parametrize("owner", [OWN, None])
def test_what_is_ours_or_says_nothing_is_done(app: Any, owner: str | None) -> None:
    @app.task(name="tests.slice", shared=False)
    def run_slice(task_id: str) -> str:
        return f"done {task_id}"

    assert receive(run_slice, owner, "a task") == "done a task"


@pytest.mark.parametrize(
    ("name", "queue"), [("tests.slice", "piston.slices"), (SWEEP, "piston.upkeep")]
)
def test_what_is_another_installations_is_given_back_with_a_warning(
    app: Any, name: str, queue: str, caplog: pytest.LogCaptureFixture
) -> None:
    done: list[str] = []

    @app.task(name=name, shared=False)
    def act(task_id: str) -> None:
        done.append(task_id)

    receive(act, OTHER, "a task")

    assert done == []
    message = take(app, f"{queue}.{OTHER}")
    assert message.headers[queues.OWNER] == OTHER
    assert message.headers["task"] == name
    assert message.decode()[0] == ["a task"]
    assert OTHER in caplog.text
