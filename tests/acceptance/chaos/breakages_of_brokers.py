"""Which safeguards against trouble with a broker can be taken out? Added to the other breakages."""

from __future__ import annotations

from tests.acceptance.chaos.breakages import BREAKAGES, SETTINGS, Breakage, Change
from tests.acceptance.chaos.breakages_of_messages import CELERY

CELERYS_CONSUMER = (
    Change(SETTINGS, '"piston.celery.consumer:Consumer"', '"celery.worker.consumer:Consumer"'),
    Change(SETTINGS, "CELERY_BROKER_CHANNEL_ERROR_RETRY = True\n", ""),
)

for breakage in (
    Breakage(
        "celerys-consumer",
        "a worker's consumer is Celery's own: it ends on any error but a lost connection",
        CELERYS_CONSUMER,
    ),
    Breakage(
        "few-tries",
        "a worker ends when it has no connection after some attempts",
        (
            *CELERYS_CONSUMER,
            Change(
                SETTINGS,
                "CELERY_BROKER_CONNECTION_MAX_RETRIES = None",
                "CELERY_BROKER_CONNECTION_MAX_RETRIES = 2",
            ),
        ),
    ),
    Breakage(
        "queues-of-everybody",
        "queues have the same names in all installations",
        (Change("piston/celery/queues.py", 'return f"{name}.{owner}"', "return name"),),
    ),
    Breakage(
        "exchange-of-ours",
        "messages are sent through an exchange of this installation, to which queues are bound",
        (
            Change(
                "piston/celery/queues.py",
                "return Exchange()",
                'return Exchange("piston.slices", "topic")',
            ),
        ),
    ),
    Breakage(
        "database-expected",
        "workers and beat do not wait for the database when they start",
        (
            Change(CELERY, "celeryd_init.connect(identity.wait_until_known)\n", ""),
            Change(CELERY, "beat_init.connect(identity.wait_until_known)\n", ""),
        ),
    ),
):
    BREAKAGES[breakage.name] = breakage
