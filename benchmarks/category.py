"""What do workers do while a whole installation is measured? Next to nothing, or wait."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Sequence
from pathlib import Path

import requests
from celery import shared_task
from django.db import connection

from categories.columns import TextColumn
from categories.contract import (
    Category,
    Context,
    Effects,
    Outcome,
    RetryLater,
    Row,
    RowAction,
    Succeeded,
)

WAITING_SECONDS = 0.01  # of each row of a parallel action
TABLE = "CREATE TABLE benchmark_effect (task_id varchar(30), name varchar(100))"
PROVIDER = "BENCHMARK_PROVIDER"  # the variable with the URL that is called
MARKS = "BENCHMARK_MARKS"  # the variable with the file that says when rows began


class Nothing(RowAction):
    """Do nothing.

    What is measured is what is around it.
    """

    name_ = TextColumn("Anything.", name="name", mandatory=True)
    effects = Effects.NONE

    def process_batch(self, rows: Sequence[Row], context: Context) -> list[Outcome]:
        """Let every row succeed."""
        return [Succeeded()] * len(rows)


class Wait(Nothing):
    """Wait for a while, row by row.

    As one does for an answer from the outside; rows are independent of each other.
    """

    ordered = False
    process_batch = RowAction.process_batch

    def process(self, row: Row, context: Context) -> None:
        """Wait."""
        time.sleep(WAITING_SECONDS)


class Write(Nothing):
    """Write a line per row.

    And say in a file, which no transaction undoes, when each row began.
    """

    effects = Effects.DATABASE
    process_batch = RowAction.process_batch

    def process(self, row: Row, context: Context) -> None:
        """Mark the time, then write."""
        with Path(os.environ[MARKS]).open("ab") as marks:
            marks.write(f"{time.time()}\n".encode())
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO benchmark_effect VALUES (%s, %s)", (context.task_id, row["name"])
            )


class Call(RowAction):
    """Call the provider.

    It takes its time, and allows so many calls a second.
    """

    name_ = TextColumn("Anything.", name="name", mandatory=True)
    effects = Effects.EXTERNAL
    ordered = False
    concurrency = 25
    rows_per_second = 49.0  # of the 50 that the provider allows

    def __init__(self) -> None:
        self.session = requests.Session()

    def process(self, row: Row, context: Context) -> None:
        """Send the effect key."""
        answer = self.session.post(os.environ[PROVIDER], data=context.effect_key, timeout=5)
        if answer.status_code == requests.codes.too_many_requests:
            raise RetryLater(float(answer.headers["Retry-After"]))
        answer.raise_for_status()


class Benchmark(Category):
    """Actions that cost next to nothing themselves.

    Nobody outside of benchmarks has a use for them.
    """

    name = "benchmark"
    version = "1"
    actions = [Nothing, Wait, Write, Call]


@shared_task(name="benchmarks.no_op", ignore_result=False)
def no_op() -> None:
    """Do nothing; Celery keeps the result where it keeps those of the installation."""


@shared_task(name="benchmarks.knock", ignore_result=True)
def knock(port: int) -> None:
    """Say with a datagram that the message has arrived."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"here", ("127.0.0.1", port))
