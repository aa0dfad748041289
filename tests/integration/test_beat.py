"""Are sweeps sent again once the broker is back?"""

from __future__ import annotations

from typing import Any

import celery
import kombu
import pytest
from django.conf import settings

from piston.celery import beat
from tests.servers import RabbitMQ, started, wait_until

QUEUE = "sweeps"


def waiting(broker: RabbitMQ) -> int:
    with kombu.Connection(broker.url) as connection:
        return int(connection.channel().queue_declare(QUEUE, passive=True).message_count)


def sends_again(scheduler: beat.Scheduler, entry: Any, broker: RabbitMQ) -> bool:
    scheduler.apply_entry(entry, producer=scheduler.producer)
    return waiting(broker) > 1


def test_beat_sends_again_after_its_broker_was_killed(caplog: pytest.LogCaptureFixture) -> None:
    with started(RabbitMQ) as broker:
        app = celery.Celery(broker=broker.url, set_as_current=False)
        app.conf.update(
            task_publish_retry=settings.CELERY_TASK_PUBLISH_RETRY,
            task_default_queue=QUEUE,
            broker_transport_options={"confirm_publish": True, "read_timeout": 5},
            beat_schedule={"sweep": {"task": "tests.sweep", "schedule": 1.0}},
        )
        scheduler = beat.Scheduler(app)
        entry = scheduler.schedule["sweep"]
        scheduler.apply_entry(entry, producer=scheduler.producer)

        broker.kill9()
        scheduler.apply_entry(entry, producer=scheduler.producer)
        broker.start()

        assert "sent in time" in caplog.text
        wait_until(lambda: sends_again(scheduler, entry, broker), seconds=60)
        app.pool.force_close_all()


def test_this_scheduler_is_the_one_that_runs() -> None:
    assert f"{beat.Scheduler.__module__}:{beat.Scheduler.__name__}" == (
        settings.CELERY_BEAT_SCHEDULER
    )
