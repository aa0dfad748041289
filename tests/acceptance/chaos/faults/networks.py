"""What if a worker reaches the one server but not the other, or the network is very slow?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

from tests.acceptance.chaos.faults import fault
from tests.acceptance.chaos.hosts import Network
from tests.acceptance.chaos.links import Link
from tests.acceptance.chaos.scene import CLAIM_SECONDS, RABBITMQ, REDIS, SWEEP_SECONDS
from tests.acceptance.chaos.work import BOOT_SECONDS, MAX_RECOVERY, Work
from tests.servers import family, wait_until

ASIDE, OTHER = "worker-1", "worker-2"
ORDERED = ("write", "each", "read")  # at most one worker has such a task
TRIES = 50  # to cut a worker off while it has a claim
CONNECT_SECONDS = 5  # piston.settings: a new connection to the database
# docs/operating.md: after the network is back, a worker that was cut off works again
COMES_BACK_SECONDS = CLAIM_SECONDS + CONNECT_SECONDS + SWEEP_SECONDS + 3
HEARTBEATS_SECONDS = 25  # until it finds out that the broker is gone, and is connected again
# for each question and each answer. What a batch first changes is its seventh way, after 14 s:
# claims last 8 s where rows may take 2 s, and then another worker has taken over
SLOW_SECONDS = 2.0
MIN_ROWS = 3_000  # in 10 s, by a worker whose two processes need a millisecond for each
# the kernel acknowledges what has arrived after at most 0.2 s. Whoever still lacks that says it
# again, and is told as soon as the network is back; whoever has it, and only waits, never is
ACKNOWLEDGED_SECONDS = 0.5
WAITING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'
    AND query LIKE 'INSERT INTO "tasks_app_part"%%'
"""
HELD = """
    SELECT segment.id, segment.claim, segment.claimed_by
    FROM tasks_app_segment AS segment JOIN tasks_app_task AS task ON task.id = segment.task_id
    WHERE NOT segment.is_done AND segment.claimed_until > now() AND task.action = ANY(%s)
"""


@dataclass
class Aside:
    """A worker in a network of its own, with a link to each server."""

    network: Network
    database: Link
    broker: Link

    def cut_off_from(self, link: Link) -> None:
        """Let nothing through to a server or from it; nobody is told."""
        self.network.swallow(link.address)

    def reconnect_to(self, link: Link) -> None:
        """Let everything through again."""
        self.network.deliver(link.address)


def set_aside(work: Work) -> Aside:
    """Start a worker anew in a network of its own."""
    scene = work.scene
    network = scene.made_links.enter_context(Network())

    def reach(url: str) -> Link:
        return scene.made_links.enter_context(Link(url, listen=network.listen))

    database, broker = reach(scene.database_url), reach(scene.broker.url)
    variables = {"DATABASE_URL": database.url, "CELERY_BROKER_URL": broker.url}
    if scene.kind == REDIS:
        variables["PISTON_S3_ENDPOINT_URL"] = reach(scene.servers.s3.url).url
    start_anew(work, inside=network.inside, **variables)
    return Aside(network, database, broker)


def start_anew(work: Work, *, inside: Sequence[str] = (), **variables: str) -> None:
    """Start the worker anew, elsewhere or otherwise, and wait until it is ready."""
    scene = work.scene

    def starts() -> int:
        return scene.installation.log(ASIDE).count(" ready.")

    before = starts()
    scene.kill(ASIDE)
    scene.start(ASIDE, inside=inside, **variables)
    wait_until(lambda: starts() > before, seconds=60)


def held_by_the_one_set_aside(work: Work, *actions: str) -> dict[int, int]:
    """Return the segments of such tasks that the worker holds: their ids, and its claims."""
    pids = set(map(str, family(work.scene.installation.processes[ASIDE].pid)))
    rows = work.scene.execute(HELD, list(actions))
    return {key: claim for key, claim, owner in rows if owner.rpartition(":")[2] in pids}


def see_taken_over(work: Work, held: dict[int, int]) -> None:
    """Wait until somebody else has claimed all of these segments."""
    newest = "SELECT id, claim FROM tasks_app_segment WHERE id = ANY(%s)"
    work.wait_for(
        lambda: all(claim > held[key] for key, claim in work.scene.execute(newest, list(held))),
        MAX_RECOVERY,
    )


def rely_on_the_one_set_aside(work: Work, *, within: float) -> None:
    """Stop the other worker in order; the one that was cut off has to go on alone."""
    work.scene.stop(OTHER)
    work.go_on(within=within)
    work.scene.start(OTHER)


def cut_off_with_claims(work: Work, aside: Aside) -> dict[int, int]:
    """Cut the worker off in mid-slice; return what it holds and cannot release."""
    for _ in range(TRIES):
        aside.cut_off_from(aside.database)
        if held := held_by_the_one_set_aside(work, *ORDERED):
            return held
        aside.reconnect_to(aside.database)
        time.sleep(work.random.uniform(0.1, 0.3))
    raise AssertionError("the worker never held a claim")


@fault(
    "a worker is cut off from the database, but not from the broker, for longer than a claim",
    outcome="another worker takes over; when the network is back, the first one works again"
    " by itself",
    on=(RABBITMQ, REDIS),
    broken_by="claims-for-ever",
)
def cut_off_from_database(work: Work) -> None:
    """Make the database a black hole for one worker."""
    aside = set_aside(work)
    work.begin(*ORDERED, "spread", rows=5_000)
    work.get_going(0.05, 0.15)
    held = cut_off_with_claims(work, aside)
    cut_at = time.monotonic()
    work.all_go_on()
    see_taken_over(work, held)
    time.sleep(max(0, cut_at + CLAIM_SECONDS + work.random.uniform(1, 4) - time.monotonic()))
    aside.reconnect_to(aside.database)
    rely_on_the_one_set_aside(work, within=COMES_BACK_SECONDS)


@fault(
    "a worker is cut off from the broker, but not from the database, for longer than a claim",
    outcome="it finishes its claims; lost messages are sent again to another worker",
    on=(REDIS, RABBITMQ),
    broken_by="no-sweeper",
)
def cut_off_from_broker(work: Work) -> None:
    """Make the broker a black hole for one worker."""
    aside = set_aside(work)
    work.begin("write", "spread", "read", "read", rows=8_000)
    work.get_going(0.05, 0.15)
    aside.cut_off_from(aside.broker)
    cut_at = time.monotonic()
    work.all_go_on()
    time.sleep(max(0, cut_at + CLAIM_SECONDS + work.random.uniform(1, 4) - time.monotonic()))
    aside.reconnect_to(aside.broker)
    rely_on_the_one_set_aside(work, within=HEARTBEATS_SECONDS)


@fault(
    "the database disappears without a word while a worker waits for its answer",
    outcome="the worker closes the connection within the time of a claim and works again by itself",
    on=(RABBITMQ, REDIS),
    broken_by="no-keepalives",
)
def database_vanishes(work: Work) -> None:
    """Lose both the reply that a worker waits for and the news that there will be none."""
    scene = work.scene
    aside = set_aside(work)
    scene.stop(OTHER)
    work.begin("write", "each", "write", rows=5_000)
    work.get_going(0.05, 0.1)
    with psycopg.connect(scene.database_url) as obstacle:
        # where the ledger waits; a row that waits is ended by its own alarm
        obstacle.execute("LOCK TABLE tasks_app_part IN EXCLUSIVE MODE")
        wait_until(lambda: scene.execute(WAITING)[0][0] >= 2, seconds=10)
        time.sleep(ACKNOWLEDGED_SECONDS)
        aside.cut_off_from(aside.database)
        aside.database.cut()
    scene.start(OTHER)
    work.all_go_on(within=MAX_RECOVERY + BOOT_SECONDS)
    aside.reconnect_to(aside.database)
    rely_on_the_one_set_aside(work, within=COMES_BACK_SECONDS)


@fault(
    f"the network between a worker and the database is very slow ({SLOW_SECONDS:.0f} s each way)",
    outcome="others take over what it cannot commit within its claim; its late commits are refused",
    on=(RABBITMQ, REDIS),
    broken_by="no-fence",
)
def slow_network(work: Work) -> None:
    """Slow one worker down so much that its claims expire while a batch is on its way.

    Those that only read are committed late as a whole: no alarm ends their rows in between.
    """
    link = work.scene.link_to_database()
    start_anew(work, DATABASE_URL=link.url)
    work.begin("read", "write", "read", "spread", "read", rows=5_000)
    work.get_going(0.05, 0.15)
    work.wait_for(lambda: bool(held_by_the_one_set_aside(work, "read")), MAX_RECOVERY)
    link.block_seconds = SLOW_SECONDS
    held = held_by_the_one_set_aside(work, "read")
    refused = overtaken_count(work)
    see_taken_over(work, held)
    work.all_go_on()
    time.sleep(work.random.uniform(0, 1) * CLAIM_SECONDS)
    link.heal()
    work.go_on()
    work.end()
    work.remarks.append(f"{overtaken_count(work) - refused} late batches were refused")


def overtaken_count(work: Work) -> int:
    """Return how often the worker has said that its claim was not the newest any more."""
    return work.scene.installation.log(ASIDE).count(" was overtaken")


@fault(
    "the database refuses a worker at once, the broker does not: a firewall, a wrong route",
    outcome="it hands messages back and does not use them up; the other worker does the work",
    on=(RABBITMQ, REDIS),
    broken_by="messages-used-up",
)
def refused_by_database(work: Work) -> None:
    """Let one worker fail fast; it is always free to take the next message."""
    link = work.scene.link_to_database()
    start_anew(work, DATABASE_URL=link.url)
    work.begin("write", "spread", "read", "read", rows=8_000)
    work.get_going(0.05, 0.1)
    link.refuse()
    work.all_go_on()
    before = work.done_rows()
    time.sleep(10)
    done = work.done_rows() - before
    work.remarks.append(f"{done} rows were done in 10 s by the other worker")
    link.heal()
    rely_on_the_one_set_aside(work, within=COMES_BACK_SECONDS)
    assert done > MIN_ROWS, f"only {done} rows were done in 10 s"
