"""What if messages are lost, copied, torn or made up?"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.acceptance.chaos import breakages_of_messages  # noqa: F401 - adds its breakages
from tests.acceptance.chaos.faults import fault
from tests.acceptance.chaos.posting import ASSEMBLE_OUTPUT, RUN_SLICE, SETTLE_ROWS, SWEEP, Post
from tests.acceptance.chaos.scene import EMBEDDED, RABBITMQ, REDIS, USUAL_PACE, WORKERS
from tests.acceptance.chaos.work import Work
from tests.servers import family, wait_until

EVERYWHERE = (RABBITMQ, REDIS, EMBEDDED)
COPIES = 100  # messages of a burst
DRAIN_SECONDS = 30


@fault(
    "RabbitMQ's queues are deleted, several times",
    outcome="workers make them again; lost messages are sent again",
    on=(RABBITMQ,),
    broken_by="believed-messages",
)
def queues_deleted(work: Work) -> None:
    """Delete the queues while workers listen."""
    forget(work, lambda post: post.delete_queues())


@fault(
    "every waiting message is deleted, under load and while workers are replaced",
    outcome="tasks stay `executing`; the sweeper sends lost messages again",
    on=EVERYWHERE,
    broken_by="believed-messages",
)
def messages_purged(work: Work) -> None:
    """Purge the queues."""
    forget(work, lambda post: post.purge())


@fault(
    "Redis loses everything (`FLUSHALL`): queues, bindings, messages in hand",
    outcome="the same as above",
    on=(REDIS,),
    broken_by="believed-messages",
)
def redis_flushed(work: Work) -> None:
    """Flush Redis."""
    forget(work, lambda post: post.flush())


def forget(work: Work, lose: Callable[[Post], None]) -> None:
    """Lose the messages now and then; once when not even one is in a worker's hands."""
    work.begin("write", "each", "read", "spread", "write")
    work.begin_pages()
    with Post(work.scene) as post:
        for share in (0.1, 0.2, 0.3):
            work.get_going(share, share + 0.1)
            lose(post)
            work.go_on()
        work.get_going(0.4, 0.5)
        work.scene.stop(*WORKERS)
        lose(post)
        for name in WORKERS:
            work.scene.start(name)
        work.all_go_on()


@fault(
    "a power cut tears the messages in the folder",
    outcome="torn messages are dropped and sent again",
    on=(EMBEDDED,),
    broken_by="torn-messages",
)
def messages_torn(work: Work) -> None:
    """Kill all that work and cut their messages short, to nothing or to a half."""
    scene = work.scene
    work.begin("write", "each", "read", "spread", "write")
    work.begin_pages()
    with Post(scene) as post:
        for share in (0.1, 0.4):
            work.get_going(share, share + 0.1)
            scene.stop(*WORKERS)
            torn = post.tear(work.random.choice((0.0, 0.5)))
            work.remarks.append(f"{torn} messages were torn")
            for name in WORKERS:
                scene.start(name)
            work.all_go_on()


@fault(
    "messages arrive hundreds of times, in any order, with old and new numbers, about live, ended"
    " and unknown tasks",
    outcome="copies are dropped and do not multiply; nothing is done twice",
    on=EVERYWHERE,
    broken_by="messages-are-the-truth",
)
def messages_copied(work: Work) -> None:
    """Publish bursts of copies until all tasks are over."""
    (ended,) = work.begin("write", rows=50)
    wait_until(work.is_over, seconds=60)
    work.scene.set_pace(0.002)
    live = work.begin("write", "each", "read", "call", "write", rows=1_000)
    work.begin_pages()
    known = [sent.task_id for sent in live]
    with Post(work.scene) as post:
        for share in (0.05, 0.3, 0.55):
            work.get_going(share, share + 0.1)
            send_copies(work, post, [*known, ended.task_id, "0" * 30])
        work.go_on()
        wait_until(lambda: work.scene.waiting_messages() <= len(work.sent), seconds=DRAIN_SECONDS)
        work.scene.set_pace(USUAL_PACE)
        while not work.is_over():
            for task_id in known:
                post.send(ASSEMBLE_OUTPUT, task_id)
            time.sleep(work.random.uniform(0.1, 0.5))


def send_copies(work: Work, post: Post, task_ids: list[str]) -> None:
    """Send messages that a broker, or several, might have kept and repeated."""
    newest = dict(work.scene.execute("SELECT id, wake_number FROM tasks_app_task"))
    for _ in range(COPIES):
        task_id = work.random.choice(task_ids)
        number = newest.get(task_id, 0) + work.random.choice((0, 0, 1, -1, -2, -50))
        name = work.random.choice((RUN_SLICE,) * 3 + COPIED)
        arguments = (task_id, number) if name == RUN_SLICE else (task_id,)
        for _ in range(work.random.choice((1, 1, 1, 3))):
            post.send(name, *arguments)


COPIED = (ASSEMBLE_OUTPUT, SETTLE_ROWS)


@fault(
    "messages are nonsense: wrong arguments, unknown names, torn, or pickled code",
    outcome="they are logged and dropped; workers live on, and no code is run",
    on=EVERYWHERE,
    broken_by="pickles",
)
def messages_garbled(work: Work) -> None:
    """Publish nonsense among real messages."""
    work.begin("write", "each", "read", "spread")
    work.begin_pages()
    trap = Path(work.scene.installation.folder) / f"trap-{work.random.random()}"
    work.get_going(0.05, 0.1)
    before = pool_processes(work)
    with Post(work.scene) as post:
        for share in (0.1, 0.3, 0.5):
            work.get_going(share, share + 0.1)
            nonsense = list(garbage(work.sent[0].task_id, post))
            work.random.shuffle(nonsense)
            for send in nonsense:
                send()
            post.send_code(os.mkdir, str(trap))
    work.go_on()
    work.end()
    assert not trap.exists(), "code in a message was run"
    work.scene.assert_workers_live()
    lost = before - pool_processes(work)
    assert not lost, f"{len(lost)} processes of the pools have died"


def pool_processes(work: Work) -> set[int]:
    """Return the ids of all processes that work."""
    processes = work.scene.installation.processes
    return {each for name in WORKERS for each in family(processes[name].pid)}


def garbage(task_id: str, post: Post) -> Iterator[Callable[[], None]]:
    """Yield senders of messages that nobody in the product would send."""
    arguments: tuple[tuple[Any, ...], ...] = (
        (),
        (task_id,),
        (task_id, "one"),
        (task_id, 2**70),
        (task_id, -1),
        (task_id, None),
        (None, None),
        ([task_id], {"a": 1}),
        ("\x00", 1),
        ("x" * 100_000, 1),
        (task_id, 1, 2, 3),
    )
    for each in arguments:
        for name in (RUN_SLICE, *COPIED, SWEEP):
            yield lambda name=name, each=each: post.send(name, *each)  # type: ignore[misc]
    yield lambda: post.send("tasks_app.no_such_message", task_id)
    yield lambda: post.send("os.system", "true")
    named = {"lang": "py", "task": RUN_SLICE, "id": "garbage"}
    for body in (b"", b"{", b"[]", b"null", b"[[], {}", b'"text"', b"\xff\xfe", b"[1, 2, 3]"):
        yield lambda body=body: post.send_raw(body, named)  # type: ignore[misc]
        yield lambda body=body: post.send_raw(body, {})  # type: ignore[misc]
    yield lambda: post.send_raw(b"[[], {}, {}]", named | {"eta": "never", "expires": "always"})
    yield lambda: post.send_raw(b"<a/>", named, content_type="application/xml")
