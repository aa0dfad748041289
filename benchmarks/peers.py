"""How much faster are numbers added than by other ways to do it on the same model and database?

django-import-export reads the same file into the same model, with the checks that it has: the
form of a number, and that its account exists. The other peer sends one Celery message per row
through RabbitMQ to one worker. Neither keeps a history, asks for rights or writes an output file.
Peers get fewer rows, and the speeds in rows/s are compared.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.inside import django_on
from benchmarks.measuring import Comparison, Scale, main, peak_memory, per_second, take_turns
from benchmarks.numbers import add, empty_tables, make_account, timed, write_file
from tests.servers import PostgreSQL, RabbitMQ, die_with_parent, family, wait_until

if TYPE_CHECKING:
    from piston.accounts.models import Account

ROWS = 50_000
PEER_ROWS = 2_000
PATIENCE_SECONDS = 120


def measure(scale: Scale) -> Iterator[Comparison]:
    """Let all take turns on one database."""
    with (
        PostgreSQL() as database,
        RabbitMQ() as broker,
        django_on(database.url) as folder,
        worker_of(broker, folder) as worker,
    ):
        account = make_account()
        count, peer_count = scale.rows(ROWS), scale.rows(PEER_ROWS)
        file = write_file(folder / "numbers.csv", count, account.pk)
        peer_file = write_file(folder / "peer.csv", peer_count, account.pk)
        ways: dict[str, Callable[[], float]] = {
            "ours": lambda: add_ours(file, account),
            **{name: partial(read, peer_file, make()) for name, make in RESOURCES.items()},
            "messages": partial(send, peer_file, "add_number"),
            "messages with results": partial(send, peer_file, "add_number_and_report"),
        }
        seconds = take_turns(scale.rounds, ways)
        peaks = {
            "this process": peak_memory(),
            "Celery's worker": sum(map(peak_memory, family(worker.pid))),
        }
    for way, (name, against, at_least) in PEERS.items():
        yield Comparison(
            name=name,
            what=f"`number_management` add, {count:,} rows, PostgreSQL",
            against=f"{against}, {peer_count:,} rows, in rows/s",
            ratios=[
                peer / peer_count * count / ours
                for peer, ours in zip(seconds[way], seconds["ours"], strict=True)
            ],
            at_least=at_least,
            figures={
                "ours": per_second(count, seconds["ours"]),
                "peer": per_second(peer_count, seconds[way]),
            },
            peaks=peaks,
        )


PEERS: dict[str, tuple[str, str, float | None]] = {
    "import-export": ("numbers added, import-export", "django-import-export", 40),
    "bulk": ("numbers added, import-export in bulk", "django-import-export with use_bulk", 8),
    "tuned": (
        "numbers added, import-export tuned",
        "django-import-export with use_bulk, skip_diff, its cached loader and cached accounts",
        None,
    ),
    "messages": ("numbers added, Celery", "one Celery message per row, results ignored", 40),
    "messages with results": (
        "numbers added, Celery with results",
        "one Celery message per row, each row's outcome kept by django-celery-results",
        None,
    ),
}


def make_resource(**options: Any) -> Any:
    """Return a resource of django-import-export for numbers, with these options."""
    from import_export import fields, resources
    from import_export.instance_loaders import CachedInstanceLoader
    from import_export.widgets import CachedForeignKeyWidget, CharWidget, ForeignKeyWidget

    from categories.columns import E164Column
    from categories.number_management.models import PhoneNumber
    from piston.accounts.models import Account

    column = E164Column("number")
    is_tuned = options.pop("is_tuned", False)
    if is_tuned:
        options["instance_loader_class"] = CachedInstanceLoader

    class NumberWidget(CharWidget):  # type: ignore[misc]
        def clean(self, value: Any, row: Any = None, **_: Any) -> str:
            return column.parse(value)

    class Resource(resources.ModelResource):  # type: ignore[misc]
        number = fields.Field("number", "number", NumberWidget())
        account = fields.Field(
            "account",
            "account_id",
            (CachedForeignKeyWidget if is_tuned else ForeignKeyWidget)(Account),
        )

        def before_save_instance(self, instance: Any, row: Any, **_: Any) -> None:
            instance.state = "in_service"

        Meta = type(
            "Meta",
            (),
            {
                "model": PhoneNumber,
                "fields": ("number", "account"),
                "import_id_fields": ("number",),
                **options,
            },
        )

    return Resource()


RESOURCES: dict[str, Callable[[], Any]] = {
    "import-export": make_resource,
    "bulk": partial(make_resource, use_bulk=True),
    "tuned": partial(make_resource, use_bulk=True, skip_diff=True, is_tuned=True),
}


def read(file: Path, resource: Any) -> float:
    """Import a file; return the seconds."""
    from tablib import Dataset

    def run() -> None:
        done = resource.import_data(Dataset().load(file.read_text(), format="csv"))
        if done.has_errors() or done.has_validation_errors():
            raise RuntimeError(f"rows were not imported: {done.row_errors()}")

    seconds = timed(run)
    check_numbers(file)
    return seconds


def add_ours(file: Path, account: Account) -> float:
    """Add the numbers by a task; return the seconds."""
    seconds = add(file, account, [])
    check_numbers(file)
    return seconds


def check_numbers(file: Path) -> None:
    """Raise unless the numbers of the file stand as a task of ours leaves them, and no others."""
    from categories.number_management.models import PhoneNumber

    rows = {tuple(line.split(",")) for line in file.read_text().splitlines()[1:]}
    fields = "number", "account", "state", "carrier_module", "ported_in", "features"
    found = list(PhoneNumber.objects.values_list(*fields))
    wanted = [(*row, "in_service", "knm_local", False, {}) for row in rows]
    if sorted(found, key=str) != sorted(wanted, key=str):
        raise RuntimeError(f"{len(found):,} numbers are not what a task makes of {file.name}")


@contextmanager
def worker_of(broker: RabbitMQ, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Have one worker process; this process can send to it."""
    os.environ["PISTON_BENCH_BROKER"] = broker.url
    words = "worker --concurrency 1 --loglevel WARNING --without-gossip --without-mingle"
    with (folder / "worker.log").open("wb") as log:
        worker = subprocess.Popen(
            [
                *die_with_parent(),
                *(sys.executable, "-m", "celery", "-A", "benchmarks.celery_per_row"),
                *words.split(),
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield worker
    finally:
        worker.terminate()
        worker.wait()


def send(file: Path, name: str) -> float:
    """Send each row of the file; return the seconds until the last is committed."""
    from django_celery_results.models import TaskResult

    from benchmarks import celery_per_row
    from categories.number_management.models import PhoneNumber

    rows = [line.split(",") for line in file.read_text().splitlines()[1:]]
    task = getattr(celery_per_row, name)
    committed = PhoneNumber.objects.all() if task.ignore_result else TaskResult.objects.all()
    empty_tables()
    TaskResult.objects.all().delete()
    started = time.perf_counter()
    with celery_per_row.app.producer_or_acquire() as producer:
        for row in rows:
            task.apply_async(row, producer=producer)
    wait_until(lambda: committed.count() == len(rows), seconds=PATIENCE_SECONDS)
    seconds = time.perf_counter() - started
    check_numbers(file)
    return seconds


if __name__ == "__main__":
    main(measure)
