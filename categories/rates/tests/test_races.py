"""Can two imports into one deck run at the same time? Only in a database with row locks."""

import threading
from typing import Any

import pytest
from django.db import connections, transaction

from categories.rates import storing
from categories.rates.models import Ratedeck
from categories.rates.tests.factories import RatedeckFactory, import_rates, read_rates
from tests.factories import AccountFactory

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.postgresql,  # SQLite has one writer at a time
]


@pytest.mark.parametrize("deck_exists", [True, False])
def test_two_imports_merge_over_each_other(
    monkeypatch: pytest.MonkeyPatch, *, deck_exists: bool
) -> None:
    """The second import waits for the first, which has read the rates but not written them."""
    reseller = AccountFactory(is_reseller=True)
    if deck_exists:
        RatedeckFactory(account=reseller, name="gold")
    first_has_read, second_waits = threading.Event(), threading.Event()
    read = storing.read_rates

    def read_and_dawdle(*args: Any, **kwargs: Any) -> Any:
        rates = read(*args, **kwargs)
        if not first_has_read.is_set():
            first_has_read.set()
            second_waits.wait(1)  # seconds; the second import cannot get further than its lock
        return rates

    monkeypatch.setattr(storing, "read_rates", read_and_dawdle)

    def run_import(column: str) -> None:
        try:
            with transaction.atomic():
                import_rates(reseller, f"prefix|rate_cost|ratedeck_id|{column}", "1415|1|gold|x")
        finally:
            connections.close_all()

    first = threading.Thread(target=run_import, args=["carrier"])
    second = threading.Thread(target=run_import, args=["description"])
    first.start()
    assert first_has_read.wait(10)
    second.start()
    first.join(30)
    second.join(30)

    assert Ratedeck.objects.count() == 1
    assert read_rates("carrier", "description") == [("x", "x")]
