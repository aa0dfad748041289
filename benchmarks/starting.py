"""How soon after its start is a task's first row committed, against one Celery round trip?

From the request to the row in the database, against a message that does nothing: from its sending,
on a warm connection, to the same worker, queue and broker, until Celery's own result of it is in
the same database. Both are seen by the same loop, which looks every millisecond. One is over before
the next begins: a task has ended, a result is there.
"""

from __future__ import annotations

import socket
import statistics
from collections.abc import Iterator

from celery import Celery

from benchmarks.fleet import Fleet, fleet
from benchmarks.measuring import Comparison, Scale, main, ratios, take_turns

BROKERS = ("RabbitMQ", "Redis")
ROWS = 10
STARTS_PER_ROUND = 10
RESULT = "SELECT 1 FROM django_celery_results_taskresult WHERE task_id = %s"


def measure(scale: Scale) -> Iterator[Comparison]:
    """Start tasks on both brokers."""
    for broker in BROKERS:
        with fleet(broker) as running:
            yield compare(running, broker, scale)


def compare(running: Fleet, broker: str, scale: Scale) -> Comparison:
    """Hold a start against a round trip, with the median of a few in each round."""
    (key,) = running.look_for("SELECT key FROM installation_installation")
    app = sender(running.installation.environment["CELERY_BROKER_URL"], f"piston.slices.{key}")
    knocked = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    knocked.bind(("127.0.0.1", 0))
    knocked.settimeout(30)

    count = 2 if scale.is_quick else STARTS_PER_ROUND
    tasks = [running.upload(ROWS) for _ in range(count * (scale.rounds + 1))]

    def start() -> float:
        task = tasks.pop()
        seconds = running.time(lambda: running.start(task), lambda: running.wait_for_row(task))
        running.wait_for_end(task)  # else the next start would be measured beside its assembly
        return seconds

    def round_trip() -> float:
        return running.time(lambda: running.look_for(RESULT, app.send_task("benchmarks.no_op").id))

    def knock() -> float:
        port = knocked.getsockname()[1]
        return running.time(
            lambda: app.send_task("benchmarks.knock", args=[port]), lambda: knocked.recv(10)
        )

    ways = {"start": start, "round trip": round_trip, "knock": knock}
    with knocked:
        seconds = take_turns(
            scale.rounds,
            {
                name: lambda way=way: statistics.median(way() for _ in range(count))
                for name, way in ways.items()
            },
        )
    median = {name: statistics.median(each) * 1000 for name, each in seconds.items()}
    return Comparison(
        name=f"start on {broker}",
        what=f"PATCH start → first row committed, {broker}",
        against="one Celery no-op, until its result is in the database",
        ratios=ratios(seconds["start"], seconds["round trip"]),
        at_most=3,
        figures={
            "start": f"{median['start']:.1f} ms",
            "no-op": f"{median['round trip']:.1f} ms",
            "no-op that leaves no result": f"{median['knock']:.1f} ms",
        },
        peaks=running.peaks(),
    )


def sender(broker_url: str, queue: str) -> Celery:
    """Return an application that sends to the queue of the slices as the product does."""
    app = Celery("benchmarks", broker=broker_url, set_as_current=False)
    app.conf.update(
        task_default_queue=queue,
        task_publish_retry=False,
        task_serializer="json",
    )
    if broker_url.startswith("amqp"):
        app.conf.update(
            task_default_queue_type="quorum",
            task_default_exchange_type="topic",
            broker_transport_options={"confirm_publish": True},
        )
    return app


if __name__ == "__main__":
    main(measure)
