"""Does a task without input show how far it is? Its action may say how many rows to expect."""

from collections.abc import Iterator
from typing import Any

import pytest

from categories import registry
from categories.columns import TextColumn
from categories.contract import Category, Context, Page, PageAction, StopTask
from categories.testing import run_action
from tasks_app.admin import columns
from tasks_app.api.serializers import represent
from tasks_app.execution import pages
from tasks_app.models import Task
from tests import engine
from tests.broker import FakeBroker

pytestmark = pytest.mark.django_db(transaction=True)


def make_report(answer: Any) -> tuple[type[PageAction], list[str]]:
    """Return a report of ten rows whose total gives this answer, and the calls that it gets."""
    calls: list[str] = []

    class Report(PageAction):
        """Report ten rows, five a page."""

        output = [TextColumn("number", "A number.")]

        def total(self, context: Context) -> int | None:
            calls.append("total")
            if isinstance(answer, Exception):
                raise answer
            return answer

        def page(self, cursor: Any, context: Context) -> Page:
            calls.append("page")
            return Page([["1"]] * 5, cursor=None if cursor else 1)

    return Report, calls


def begin(action: type[PageAction], broker: FakeBroker) -> Iterator[Task]:
    """Start the report; yield its task after the first page, and at its end."""

    class Reports(Category):
        """Reports."""

        name = "trial"
        version = "1"
        actions = [action]

    with registry.registered(Reports):
        task = engine.start(engine.submit("report"))
        with engine.claimed("m") as run:
            pages.run_page(run)
            yield engine.fresh(task)
            run.segment.release()
        broker.deliver_all()
        yield engine.fresh(task)


def test_a_report_is_asked_once_and_its_progress_is_shown(broker: FakeBroker) -> None:
    action, calls = make_report(10)

    half, whole = begin(action, broker)

    assert calls == ["total", "page", "page"]
    assert (represent(half)["expected_count"], half.success_count) == (10, 5)
    assert represent(half)["total_count"] is None
    assert "5 / 10 (50&nbsp;%)" in columns.progress(half)
    assert (whole.status, whole.success_count, whole.expected_count) == ("success", 10, 10)


def test_more_rows_than_expected_are_no_error(broker: FakeBroker) -> None:
    action, _ = make_report(3)

    _, whole = begin(action, broker)

    assert (whole.status, whole.success_count) == ("success", 10)
    assert "(100&nbsp;%)" in columns.progress(whole)


def test_a_report_that_does_not_know_shows_no_total(broker: FakeBroker) -> None:
    action, _ = make_report(None)

    _, whole = begin(action, broker)

    assert represent(whole)["expected_count"] is None
    assert columns.progress(whole) == "10 rows"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (-1, "its total is -1, no row count"),
        ("10", "its total is '10', no row count"),
        (True, "its total is True, no row count"),
        (2**63, "no row count"),
        (KeyError("x"), "KeyError: 'x'"),
        (StopTask("enough"), "its total stopped the task: enough"),
    ],
)
def test_a_total_that_is_none_ends_the_task_with_the_reason(
    answer: Any, why: str, broker: FakeBroker
) -> None:
    action, _ = make_report(answer)

    class Reports(Category):
        """Reports."""

        name = "trial"
        version = "1"
        actions = [action]

    with registry.registered(Reports):
        task = engine.start(engine.submit("report"))
        broker.deliver_all()

    task = engine.fresh(task)
    assert task.status == "internal_error"
    assert why in task.reason


def test_an_authors_test_sees_the_total() -> None:
    action, _ = make_report(10)

    assert run_action(action).total == 10
