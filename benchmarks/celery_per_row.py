"""What would a system look like that sends one Celery message per number? A peer to compare with.

As quick as such a system gets: the connection to the database is kept from message to message,
there is no history and no check of rights, and nothing is asked that one INSERT could tell.
"""

from __future__ import annotations

import os
from typing import Any

import django
from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "piston.settings")
django.setup()

from django.db import transaction  # noqa: E402

from categories.columns import AccountColumn, E164Column  # noqa: E402
from categories.number_management.models import PhoneNumber  # noqa: E402
from piston.accounts.models import Account  # noqa: E402

BROKER_VARIABLE = "PISTON_BENCH_BROKER"
QUEUE = "benchmark"
NUMBER, ACCOUNT = E164Column("number"), AccountColumn("account_id")

app = Celery(
    "celery_per_row",
    broker=os.environ.get(BROKER_VARIABLE, "memory://"),
    backend="django-db",
    set_as_current=False,
)
app.conf.update(task_default_queue=QUEUE, worker_prefetch_multiplier=100)
app.conf["CELERY_DB_REUSE_MAX"] = 1_000_000  # messages; else Celery opens a connection for each


@app.task(ignore_result=True)  # type: ignore[untyped-decorator]
def add_number(number: str, account_id: str) -> None:
    """Add a number; nobody learns what became of the row."""
    with transaction.atomic():
        account = Account.objects.get(pk=ACCOUNT.parse(account_id))
        defaults: dict[str, Any] = {"account": account, "state": "in_service"}
        _, is_new = PhoneNumber.objects.get_or_create(
            number=NUMBER.parse(number), defaults=defaults
        )
        if not is_new:
            raise ValueError(f"number {number} already exists")


@app.task(ignore_result=False)  # type: ignore[untyped-decorator]
def add_number_and_report(number: str, account_id: str) -> str:
    """Add a number; the row's outcome is kept as Celery's result, in the database."""
    add_number(number, account_id)
    return "in_service"
