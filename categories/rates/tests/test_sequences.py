"""Does a file whose rows concern the same rates do what its rows do one by one?"""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from categories.contract import Action
from categories.rates.actions import Delete, ImportRates
from categories.rates.tests.factories import import_rates, make_rows, read_rates, rolled_back
from categories.testing import Ran, run_action
from piston.accounts.models import Account
from tests import patience
from tests.factories import AccountFactory

pytestmark = pytest.mark.django_db

STORED = (
    "ratedeck__name",
    *("rate_id", "prefix", "rate_cost", "carrier", "direction", "weight", "rate_name", "routes"),
    *("task_id", "task_row"),
)
DECKS = st.sampled_from(["", "a", "b"])
PREFIXES = st.sampled_from(["1", "2", "21"])
COSTS = st.sampled_from(["0.1", "0.10", "0.2", "cheap"])
TEXTS = st.sampled_from(["", "acme", "other"])
DIRECTIONS = st.sampled_from(["", "inbound", '["inbound","outbound"]'])
WEIGHTS = st.sampled_from(["", "7", "500"])
SUFFIXES = st.sampled_from(["", "night"])
IMPORTED = st.lists(
    st.tuples(DECKS, PREFIXES, COSTS, TEXTS, DIRECTIONS, WEIGHTS, SUFFIXES),
    min_size=1,
    max_size=12,
)
HEADER = "ratedeck_id|prefix|rate_cost|carrier|direction|weight|rate_suffix"
DELETED = st.lists(
    st.tuples(DECKS, PREFIXES, st.sampled_from(["", "0.1", "0.20"]), TEXTS, DIRECTIONS),
    min_size=1,
    max_size=12,
)
DELETED_HEADER = "ratedeck_id|prefix|rate_cost|carrier|direction"


def run(
    action: type[Action], account: Account, header: str, rows: Sequence[Sequence[str]], size: int
) -> tuple[list[list[str]], list[Any]]:
    """Return the lines and the stored rates after a task in batches of `size`, and undo it."""
    with rolled_back():
        lines = ["|".join(row) for row in rows]
        ran: Ran = run_action(action, make_rows(header, *lines), account=account, batch_size=size)
        left = list(read_rates(*STORED))
    return ran.lines, left


@settings(max_examples=patience.many(40), deadline=None)
@given(IMPORTED, st.integers(2, 12))
def test_an_import_in_batches_does_what_it_does_row_by_row(
    rows: list[tuple[str, ...]], size: int
) -> None:
    with rolled_back():
        reseller = AccountFactory(is_reseller=True)

        assert run(ImportRates, reseller, HEADER, rows, size) == run(
            ImportRates, reseller, HEADER, rows, 1
        )


@settings(max_examples=patience.many(40), deadline=None)
@given(IMPORTED, DELETED, st.integers(2, 12))
def test_a_deletion_in_batches_does_what_it_does_row_by_row(
    stored: list[tuple[str, ...]], rows: list[tuple[str, ...]], size: int
) -> None:
    with rolled_back():
        reseller = AccountFactory(is_reseller=True)
        import_rates(reseller, HEADER, *("|".join(row) for row in stored))

        assert run(Delete, reseller, DELETED_HEADER, rows, size) == run(
            Delete, reseller, DELETED_HEADER, rows, 1
        )
