"""How long do questions about a tree of 100,000 accounts take?

`python -m benchmarks.account_tree` asks them in the database of the environment, in a transaction
that is rolled back. Prints milliseconds.
"""

import os
import random
import time
from collections.abc import Callable

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "piston.settings")
django.setup()

from django.db import connection, transaction  # noqa: E402

from piston.accounts.models import Account  # noqa: E402
from piston.accounts.permissions import find_account  # noqa: E402

ACCOUNT_COUNT = 100_000


def report(what: str, work: Callable[[], object]) -> None:
    """Do the work and print how long it took."""
    start = time.perf_counter()
    work()
    print(f"{(time.perf_counter() - start) * 1000:10.1f} ms  {what}")


def ask() -> None:
    """Make the tree, then ask."""
    chance = random.Random(1)
    root = Account(name="root")
    resellers = [Account(name="reseller", parent=root) for _ in range(30)]
    shops = [Account(name="shop", parent=chance.choice(resellers)) for _ in range(3_000)]
    rest = ACCOUNT_COUNT - 1 - len(resellers) - len(shops)
    customers = [Account(name="customer", parent=chance.choice(shops)) for _ in range(rest)]
    accounts = [root, *resellers, *shops, *customers]
    report(f"make {ACCOUNT_COUNT} accounts in bulk", lambda: Account.objects.bulk_create(accounts))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    report("make one more", lambda: Account.objects.create(name="new", parent=shops[0]))
    report("may the root act on a customer?", lambda: find_account(root, customers[0].pk))
    report("what is above a customer?", lambda: list(customers[0].ancestors()))
    report("what is below a shop?", lambda: list(shops[0].descendants()))
    report("how many are below the root?", lambda: root.descendants().count())
    report("move a shop and its customers", lambda: shops[0].move_to(resellers[-1]))
    report("move a reseller and all below", lambda: resellers[0].move_to(resellers[-1]))


if __name__ == "__main__":
    with transaction.atomic():
        ask()
        transaction.set_rollback(True)
