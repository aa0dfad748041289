"""Can a worker die in the kit at every point where a task can lose one?"""

from typing import Any

import pytest

from categories.contract import Action, Context, Effects, Outcome, Row, Succeeded
from categories.testing.crash_kit.calls import Calls
from categories.testing.crash_kit.fault_injection import FailsAtFirst, FaultInjector
from categories.testing.crash_kit.trials import Trial, make_context
from piston.accounts.models import Account
from tests.integration.categories.testing.crash_kit.words import NOW, List, Store

pytestmark = pytest.mark.django_db


def boundaries(
    action: type[Action],
    words: str = "",
    injector: type[Any] = FaultInjector,
    calls: Calls | None = None,
) -> list[str]:
    """Return the distinct boundaries of a run, without savepoints and locks."""
    passed: list[str] = []

    class Notes(injector):  # type: ignore[misc]
        def boundary(self, where: str) -> None:
            passed.append(where.partition(" INTO")[0])

    context = make_context(None, None, NOW)
    rows = [{"word": word} for word in words]
    Trial(action, rows, context, 2, injector=Notes(action.effects, calls)).run()
    left_out = ("SAVEPOINT", "pg_advisory")  # Django's own, and the account tree's
    return [where for where in dict.fromkeys(passed) if not any(map(where.count, left_out))]


def test_of_rows_that_write() -> None:
    assert boundaries(Store, "ab") == [
        "before permitted",
        "after permitted",
        "before the batch of rows 1 to 2",
        "within the batch of rows 1 to 2, before INSERT",
        "within the batch of rows 1 to 2, after INSERT",
        "after the batch of rows 1 to 2, before the commit",
        "after the commit of the batch of rows 1 to 2",
        "before finish",
        "after finish, before the commit",
        "after the commit of finish",
    ]


def test_of_a_batch_that_is_halved() -> None:
    halves = "the batch of rows 1 to 2, which failed at first and is run in halves"

    passed = boundaries(Store, "ab", FailsAtFirst)

    assert passed[4:] == [
        "within the batch of rows 1 to 2, after INSERT",
        f"within {halves}, before INSERT",
        f"within {halves}, after INSERT",
        f"after {halves}, before the commit",
        "after the commit of the batch of rows 1 to 2",
        "before finish",
        "after finish, before the commit",
        "after the commit of finish",
    ]


def test_of_pages() -> None:
    assert boundaries(List)[2:8] == [
        "before the page at None",
        "after the page at None, before the commit",
        "after the commit of the page at None",
        "before the page at 2",
        "after the page at 2, before the commit",
        "after the commit of the page at 2",
    ]


def test_of_a_row_that_is_sent() -> None:
    calls = Calls()

    class Send(Store):
        """Send words."""

        effects = Effects.EXTERNAL

        def process(self, row: Row, context: Context) -> Outcome:
            calls(row.word)
            return Succeeded()

    assert boundaries(Send, "a", calls=calls)[2:8] == [
        "before row 1",
        "after row 1 was journaled, before it was sent",
        "within row 1, before its call reached the outside",
        "within row 1, after its call and before the answer came back",
        "after row 1 was sent, before the commit",
        "after the commit of row 1",
    ]


def test_a_statement_of_permitted_and_of_finish_is_one() -> None:
    class Looks(List):
        """List words after a look at the database."""

        def permitted(self, context: Context) -> None:
            list(Account.objects.values_list("pk"))

        def finish(self, context: Context) -> None:
            list(Account.objects.values_list("pk"))

    passed = [where.partition(" SELECT")[0] for where in boundaries(Looks)]

    assert passed[1:3] == ["within permitted, before", "within permitted, after"]
    assert passed[-4:-2] == ["within finish, before", "within finish, after"]
