"""What if the broker is there, but refuses? Nobody ends: all wait, and go on when it is over."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import redis

from tests.acceptance.chaos import breakages_of_brokers  # noqa: F401 - adds its breakages
from tests.acceptance.chaos.faults import fault
from tests.acceptance.chaos.faults.brokers import BROKERS, start_regardless
from tests.acceptance.chaos.scene import RABBITMQ, REDIS, WORKERS, Scene
from tests.acceptance.chaos.work import Work
from tests.servers import RabbitMQ, Redis, family, send_signal

ROWS = 1_500  # of a task
WRONG_SECONDS = 40  # that a password is wrong
REFUSING_SECONDS = 10
HELD_SECONDS = 10  # RabbitMQ's `consumer_timeout`, for which a message may be in hand
LOOK_SECONDS = 1  # between two looks of RabbitMQ at that
FORGETTING_SECONDS = 5


def rabbitmq(scene: Scene) -> RabbitMQ:
    """Return the scene's RabbitMQ."""
    assert isinstance(scene.broker, RabbitMQ)
    return scene.broker


@contextmanager
def redis_client(scene: Scene) -> Iterator[Any]:
    """Be connected to the scene's Redis: a connection that is there stays signed in."""
    assert isinstance(scene.broker, Redis)
    with redis.Redis(port=scene.broker.port, single_connection_client=True) as client:
        client.ping()
        yield client


def refuse(
    work: Work,
    harm: Callable[[], Any],
    heal: Callable[[], Any],
    *,
    seconds: float = REFUSING_SECONDS,
) -> None:
    """Let the broker refuse in mid-work for so long; a start in between stands, and nobody ends."""
    work.begin("write", "each", "read", "spread", rows=ROWS)
    to_come = work.upload("write", rows=ROWS)
    work.get_going(0.02, 0.1)
    harm()
    try:
        start_regardless(work, to_come)
        time.sleep(seconds)
    finally:
        heal()
    work.all_go_on()
    work.scene.assert_workers_live(*WORKERS, "beat")


def cut_all(scene: Scene) -> None:
    """Close all connections to RabbitMQ; whoever comes again is asked who they are."""
    rabbitmq(scene).control("close_all_connections", "a fault")


@fault(
    "the broker refuses the login: a password is changed, and restored 40 s later",
    outcome="workers, beat and web wait and say so, including those that are started meanwhile",
    on=BROKERS,
    broken_by="celerys-consumer",
)
def login_refused(work: Work) -> None:
    """Change the password, cut all connections; start a worker and beat while it is wrong."""
    scene = work.scene
    if scene.kind == REDIS:
        with redis_client(scene) as client:
            refuse_login(work, lambda word: sign_in_with(client, word), right="")
    else:
        refuse_login(work, lambda word: change_password(scene, word), right="guest")


def change_password(scene: Scene, word: str) -> None:
    """Let RabbitMQ want this password from now on, of everybody."""
    rabbitmq(scene).control("change_password", "guest", word)
    cut_all(scene)


def sign_in_with(client: Any, word: str) -> None:
    """Let Redis want this password from now on, of everybody."""
    client.config_set("requirepass", word)
    client.client_kill_filter(_type="normal", skipme=True)


def refuse_login(work: Work, change: Any, *, right: str) -> None:
    """Do it, with what the broker offers."""
    scene = work.scene

    def harm() -> None:
        change("another")
        scene.kill("worker-2", "beat")
        scene.start("worker-2")
        scene.start("beat")

    refuse(work, harm, lambda: change(right), seconds=WRONG_SECONDS)


@fault(
    "permissions for RabbitMQ's queues are removed, and restored",
    outcome="the same",
    on=(RABBITMQ,),
    broken_by="celerys-consumer",
)
def permissions_missing(work: Work) -> None:
    """Let the user that everybody is connect, but do nothing."""

    def permit(which: str) -> None:
        rabbitmq(work.scene).control("set_permissions", "-p", "/", "guest", *[which] * 3)
        cut_all(work.scene)

    refuse(work, lambda: permit("^$"), lambda: permit(".*"))


@fault(
    "a message is in hand for longer than RabbitMQ's `consumer_timeout`",
    outcome="RabbitMQ closes the channel; the worker opens another, and continues",
    on=(RABBITMQ,),
    broken_by="celerys-consumer",
)
def message_held_too_long(work: Work) -> None:
    """Let the processes of each worker's pool stand still for longer."""
    scene = work.scene
    allow(scene, timeout=HELD_SECONDS, look=LOOK_SECONDS)
    try:
        work.begin("write", "each", "read", "spread", rows=ROWS)
        for name in WORKERS:
            work.get_going(0.05, 0.1)
            pool = family(scene.installation.processes[name].pid)[1:]
            for child in pool:
                send_signal(child, signal.SIGSTOP)
            time.sleep(HELD_SECONDS + 3 * LOOK_SECONDS)
            for child in pool:
                send_signal(child, signal.SIGCONT)
            work.all_go_on()
    finally:
        allow(scene, timeout=1800, look=60)
    scene.assert_workers_live()


def allow(scene: Scene, *, timeout: int, look: int) -> None:
    """Set for how long a message may be in hand, and how often RabbitMQ looks (seconds)."""
    for name, seconds in (("consumer_timeout", timeout), ("channel_tick_interval", look)):
        setting = f"application:set_env(rabbit, {name}, {seconds * 1000})."
        rabbitmq(scene).control("eval", setting)
    cut_all(scene)  # channels ask when they are opened


@fault(
    "Redis becomes a replica, as in a fail-over, and then the master again",
    outcome="workers say that it is read-only, and wait",
    on=(REDIS,),
    broken_by="celerys-consumer",
)
def redis_read_only(work: Work) -> None:
    """Make it the replica of a master that nobody can reach."""
    with redis_client(work.scene) as client:
        refuse(
            work,
            lambda: client.replicaof("127.0.0.1", "1"),
            lambda: client.replicaof("NO", "ONE"),
        )


@fault(
    "Redis is full, under `noeviction`",
    outcome="workers say that it is full, and wait",
    on=(REDIS,),
    broken_by="celerys-consumer",
)
def redis_full(work: Work) -> None:
    """Let Redis have less memory than it uses."""
    configure_for_a_while(work, maxmemory=("1", "0"))


@fault(
    "Redis has no connection left (`maxclients`)",
    outcome="processes that were cut off wait until there is one",
    on=(REDIS,),
    broken_by="few-tries",
)
def redis_crowded(work: Work) -> None:
    """Let there be one connection, which the harness has."""
    configure_for_a_while(work, maxclients=("1", "10000"))


def configure_for_a_while(work: Work, **settings: tuple[str, str]) -> None:
    """Give Redis settings, cut all connections, and later give it the usual ones."""
    with redis_client(work.scene) as client:

        def set_all(place: int) -> None:
            for name, values in settings.items():
                client.config_set(name, values[place])
            client.client_kill_filter(_type="normal", skipme=True)

        refuse(work, lambda: set_all(0), lambda: set_all(1))


@fault(
    "Redis evicts arbitrary keys: a `maxmemory-policy` that is wrong for a broker",
    outcome="lost messages are sent again",
    on=(REDIS,),
    broken_by="believed-messages",
)
def redis_keys_evicted(work: Work) -> None:
    """Take random keys away, one after the other, for some seconds, while messages wait."""
    work.begin(*("write", "each", "read", "spread") * 3, rows=ROWS)  # more than there are processes
    work.get_going(0.02, 0.1)
    with redis_client(work.scene) as client:
        until = time.monotonic() + FORGETTING_SECONDS
        while time.monotonic() < until:
            if key := client.randomkey():
                client.unlink(key)
    work.all_go_on()
    work.scene.assert_workers_live()


@fault(
    "RabbitMQ has too little memory, and blocks all senders (its alarm)",
    outcome="no request waits for it: a start is answered at once and stands",
    on=(RABBITMQ,),
    broken_by="waits-for-broker",
)
def memory_alarm(work: Work) -> None:
    """Set the mark that low."""
    control = rabbitmq(work.scene).control
    refuse(
        work,
        lambda: control("set_vm_memory_high_watermark", "0.00001"),
        lambda: control("set_vm_memory_high_watermark", "0.4"),
    )


@fault(
    "RabbitMQ's disk has too little room, and it blocks all senders (its alarm)",
    outcome="the same",
    on=(RABBITMQ,),
    broken_by="waits-for-broker",
)
def disk_alarm(work: Work) -> None:
    """Set the mark higher than any disk."""
    control = rabbitmq(work.scene).control
    refuse(
        work,
        lambda: control("set_disk_free_limit", "9999GB"),
        lambda: control("set_disk_free_limit", "50MB"),
    )
