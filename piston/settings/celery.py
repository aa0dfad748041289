"""Celery's settings; docs/operating.md has the reasons."""

from __future__ import annotations

import socket
from datetime import timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from piston.environment import read_integer
from piston.settings.base import CELERY_BROKER_URL, PISTON_DATA_DIR
from piston.settings.limits import PISTON_SHUTDOWN_SECONDS, PISTON_SWEEP_SECONDS

CELERY_TASK_SERIALIZER = "json"
CELERY_RESULT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]  # never pickle
CELERY_TIMEZONE = "UTC"
CELERY_RESULT_BACKEND = "django-db"  # a log for staff; the product never reads it
CELERY_RESULT_EXTENDED = True  # name and arguments, so that a message is linked to its task
CELERY_RESULT_EXPIRES = timedelta(days=7)
CELERY_TASK_IGNORE_RESULT = True  # of messages that succeed; those that fail are stored (below)
CELERY_TASK_STORE_ERRORS_EVEN_IF_IGNORED = True
CELERY_TASK_ACKS_LATE = True  # a dead worker's message is redelivered; the ledger makes that safe
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_ACKS_ON_FAILURE = True  # the log has the error; the sweeper sends another message
CELERY_TASK_ACKS_ON_TIMEOUT = True
CELERY_TASK_TIME_LIMIT = 300  # seconds; a slice takes about one. Ends a row that never returns
CELERY_WORKER_PREFETCH_MULTIPLIER = 1  # no slice waits behind a busy process
CELERY_WORKER_CONCURRENCY = read_integer("PISTON_WORKER_PROCESSES", 2, minimum=1)
CELERY_WORKER_MAX_TASKS_PER_CHILD = 2_000  # bounds leaks of plugins; about half an hour
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 500_000  # KiB, checked between two slices
CELERY_WORKER_PROC_ALIVE_TIMEOUT = 20  # seconds; a new process that is not up by then is replaced
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
# RabbitMQ keeps the queue of remote control locked until it notices that a connection is gone. A
# worker that lost its connection and reconnects before that would end.
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = PISTON_SHUTDOWN_SECONDS  # with REMAP_SIGTERM=SIGQUIT
# retries after every error of the broker
CELERY_WORKER_CONSUMER = "piston.celery.consumer:Consumer"
CELERY_BROKER_CHANNEL_ERROR_RETRY = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_CONNECTION_TIMEOUT = 3  # seconds
CELERY_BROKER_HEARTBEAT = 10  # seconds; RabbitMQ: after two missed ones, either side disconnects
# As people type them; on the broker they end with the installation's id (piston/celery/queues.py)
CELERY_TASK_DEFAULT_QUEUE = "piston.slices"
CELERY_TASK_ROUTES = {
    "tasks_app.sweep": {"queue": "piston.upkeep"},
    "tasks_app.check_storage": {"queue": "piston.upkeep"},
}
CELERY_TASK_PUBLISH_RETRY = False  # the sweeper sends what was not sent
# needs no file: the database knows what is due
CELERY_BEAT_SCHEDULER = "piston.celery.beat:Scheduler"
CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "tasks_app.sweep", "schedule": float(PISTON_SWEEP_SECONDS)},
}


# In seconds. While a worker waits for messages, it sends nothing. So it detects a lost broker
# within 20 s.
KEEPALIVE = (
    {socket.TCP_KEEPIDLE: 10, socket.TCP_KEEPINTVL: 3, socket.TCP_KEEPCNT: 3}
    if hasattr(socket, "TCP_KEEPIDLE")
    else {}
)


def read_broker_options() -> dict[str, Any]:
    """Return the transport options of the broker in CELERY_BROKER_URL."""
    scheme = CELERY_BROKER_URL.split(":", 1)[0]
    if scheme == "filesystem":
        messages = PISTON_DATA_DIR / "messages"
        for name in ("queue", "control", "done"):
            (messages / name).mkdir(parents=True, exist_ok=True)
        return {
            "data_folder_in": str(messages / "queue"),
            "data_folder_out": str(messages / "queue"),
            "control_folder": str(messages / "control"),
            "processed_folder": str(messages / "done"),
        }
    if scheme in {"redis", "rediss"}:
        return {
            "visibility_timeout": 120,  # seconds; slices take about one, so this can be short
            "socket_timeout": 5,
            "socket_connect_timeout": 3,
            "socket_keepalive": True,
            "socket_keepalive_options": KEEPALIVE,
            "unacked_restore_interval": 10,
            "unacked_restore_throttle": 1,
        }
    if scheme in {"amqp", "amqps", "pyamqp"}:
        return {"confirm_publish": True, "read_timeout": 5, "write_timeout": 5}
    raise ImproperlyConfigured(
        f"CELERY_BROKER_URL must begin with filesystem://, amqp:// or redis://, not {scheme}://."
    )


CELERY_BROKER_TRANSPORT_OPTIONS = read_broker_options()
if CELERY_BROKER_URL.startswith(("amqp", "pyamqp")):
    CELERY_TASK_DEFAULT_QUEUE_TYPE = "quorum"  # survives the loss of a broker node
    CELERY_WORKER_DETECT_QUORUM_QUEUES = True
