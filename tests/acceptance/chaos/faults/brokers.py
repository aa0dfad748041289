"""What if the broker dies, stands still or forgets everything?"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tests.acceptance.chaos import breakages_of_brokers, breakages_of_messages  # noqa: F401 - add theirs
from tests.acceptance.chaos.faults import fault
from tests.acceptance.chaos.posting import Post
from tests.acceptance.chaos.scene import RABBITMQ, REDIS, USUAL_PACE, WORKERS
from tests.acceptance.chaos.work import BOOT_SECONDS, MAX_RECOVERY, Sent, Work
from tests.acceptance.installation import PATIENCE_SECONDS
from tests.servers import RabbitMQ, wait_until

BROKERS = (RABBITMQ, REDIS)
UNBINDINGS = 30  # in three seconds: by then every process has sent a message
MAX_START = 4.0  # seconds; a second of it may be spent waiting for the broker


def begin_with_one_to_come(work: Work) -> Sent:
    """Start some tasks; return a longer one that is to be started while the broker is away."""
    work.begin("write", "each", "read", "spread")
    return work.upload("write", rows=6_000)


def start_regardless(work: Work, sent: Sent) -> None:
    """Start a task; it must neither fail nor wait for the broker."""
    began = time.monotonic()
    work.start(sent)
    seconds = time.monotonic() - began
    assert seconds < MAX_START, f"a start waited {seconds:.1f} s for the broker"


def break_broker(work: Work, harm: Callable[[], Any], heal: Callable[[], Any]) -> None:
    """Take the broker away in mid-work and bring it back; a start in between stands."""
    to_come = begin_with_one_to_come(work)
    work.get_going()
    harm()
    try:
        start_regardless(work, to_come)
        time.sleep(work.random.uniform(1, 8))
    finally:
        heal()
    work.all_go_on()


@fault(
    "the broker is killed (`SIGKILL`) and starts again on its data",
    outcome="a start in the meantime stands; all tasks go on by themselves",
    on=(RABBITMQ,),
    broken_by="no-sweeper",
)
def broker_killed(work: Work) -> None:
    """Kill the broker; keep its disk. Then again while all is quiet, and web with it.

    So a start sends no message, and who would have sent it later is dead.
    """
    broker = work.scene.broker
    break_broker(work, broker.kill9, broker.start)
    work.end()
    to_come = work.upload("write")
    broker.kill9()
    start_regardless(work, to_come)
    work.scene.kill("web")
    work.scene.start("web")
    broker.start()
    wait_until(work.scene.installation.answers, seconds=PATIENCE_SECONDS)
    work.go_on()


@fault(
    "the broker is killed and comes back empty",
    outcome="the same: the database says what is to be done",
    on=BROKERS,
    broken_by="believed-messages",
)
def broker_emptied(work: Work) -> None:
    """Kill the broker and take its disk; Redis has none. Then again with all messages in it."""
    broker = work.scene.broker

    def start_as_new() -> None:
        if isinstance(broker, RabbitMQ):
            broker.erase()
        broker.start()

    break_broker(work, broker.kill9, start_as_new)
    work.end()
    work.scene.kill(*WORKERS)
    work.begin("write", "each")
    broker.kill9()
    start_as_new()
    for name in WORKERS:
        work.scene.start(name)
    work.go_on(within=BOOT_SECONDS + MAX_RECOVERY)


@fault(
    "Redis is killed repeatedly while workers ask for messages",
    outcome="workers connect again each time; none ends",
    on=(REDIS,),
    broken_by="redis-lost-once",
)
def redis_killed_again(work: Work) -> None:
    """Kill Redis while workers have a message in hand and ask for more: tasks are few."""
    broker = work.scene.broker
    work.scene.set_pace(0.003)
    work.begin("write", "each", "read", rows=6_000)
    for share in (0.05, 0.2, 0.35, 0.5):
        work.get_going(share, share + 0.1)
        broker.kill9()
        time.sleep(work.random.uniform(0.5, 2))
        broker.start()
        work.go_on()
    work.scene.set_pace(USUAL_PACE)
    work.scene.assert_workers_live()


@fault(
    "the broker stands still (`SIGSTOP`) for some seconds",
    outcome="no request waits for it: a start is answered at once and stands",
    on=BROKERS,
    broken_by="waits-for-broker",
)
def broker_frozen(work: Work) -> None:
    """Freeze the broker with all its connections open."""
    broker = work.scene.broker
    break_broker(work, broker.freeze, broker.thaw)


@fault(
    "RabbitMQ's virtual host is deleted, with all queues and messages, and made again",
    outcome="workers and senders connect again by themselves",
    on=(RABBITMQ,),
    broken_by="no-sweeper",
)
def virtual_host_deleted(work: Work) -> None:
    """Delete the virtual host under everybody's feet."""
    broker = work.scene.broker
    assert isinstance(broker, RabbitMQ)
    node = broker

    def make_again() -> None:
        node.control("add_vhost", "/")
        node.control("set_permissions", "-p", "/", "guest", ".*", ".*", ".*")

    break_broker(work, lambda: node.control("delete_vhost", "/"), make_again)


@fault(
    "all bindings that can be removed from RabbitMQ are removed",
    outcome="nothing changes: no message needs a binding",
    on=(RABBITMQ,),
    broken_by="exchange-of-ours",
)
def bindings_removed(work: Work) -> None:
    """Unbind the queues again and again: each new connection of a sender would bind its own."""
    to_come = begin_with_one_to_come(work)
    work.get_going(0.05, 0.2)
    with Post(work.scene) as post:
        for _ in range(UNBINDINGS):
            post.unbind_queues()
            time.sleep(0.1)
    work.start(to_come)
    work.all_go_on()
