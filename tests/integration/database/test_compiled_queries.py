from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import F
from django.db.models.functions import Now
from pytest_django import DjangoAssertNumQueries

from piston.accounts.models import Account
from piston.database.compiled_queries import CompiledSelect, CompiledUpdate, Slot
from tasks_app.models import Segment, Task
from tasks_app.models.clock import database_time
from tests.factories import AccountFactory, TaskFactory

pytestmark = pytest.mark.django_db

NAMED = CompiledSelect(lambda: Account.objects.filter(name=Slot.text("name")).order_by("pk"))
LATEST = CompiledSelect(
    lambda: Task.objects.select_related("account").annotate(clock=Now()).filter(pk=Slot.text("pk"))
)
SEGMENT = CompiledUpdate(
    lambda: Segment.objects.filter(pk=Slot.number("pk"), is_done=False),
    cursor_row=F("cursor_row") + Slot.number("row_count"),
    page_cursor=Slot.json("page_cursor"),
    is_done=Slot.boolean("is_done"),
    claimed_until=database_time(Slot.duration("held_for")),
)


@pytest.fixture
def segment() -> Segment:
    task = TaskFactory.create()
    return Segment.objects.create(task=task, index=7, end_row=100)


def move(segment: Segment, **values: object) -> int:
    unless_said_otherwise = {
        "pk": segment.pk,
        "row_count": 0,
        "page_cursor": None,
        "is_done": False,
        "held_for": timedelta(0),
    }
    return SEGMENT.run(**(unless_said_otherwise | values))


def test_each_call_selects_with_its_own_values() -> None:
    one, other, namesake = (AccountFactory.create(name=name) for name in ("one", "other", "one"))

    found = [NAMED.fetch(name=name) for name in ("one", "other", "nobody")]

    assert found == [sorted([one, namesake], key=lambda each: each.pk), [other], []]


def test_what_is_selected_is_read_each_time() -> None:
    account = AccountFactory.create(name="one", is_enabled=True)
    NAMED.fetch(name="one")
    Account.objects.filter(pk=account.pk).update(is_enabled=False)

    (again,) = NAMED.fetch(name="one")

    assert not again.is_enabled


def test_related_rows_and_annotations_come_along(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    task = TaskFactory.create()

    with django_assert_num_queries(1):
        (found,) = LATEST.fetch(pk=task.pk)
        assert found.account == task.account

    assert found.clock >= task.created_at


def test_a_text_is_a_value_and_never_sql() -> None:
    AccountFactory.create(name="one")

    assert NAMED.fetch(name="' OR '' = '") == []
    assert NAMED.fetch(name="100 %s") == []


def test_each_call_updates_with_its_own_values(segment: Segment) -> None:
    counts = [move(segment, row_count=3), move(segment, row_count=4), move(segment, pk=-1)]

    segment.refresh_from_db()
    assert counts == [1, 1, 0]
    assert segment.cursor_row == 7


def test_the_condition_of_an_update_holds(segment: Segment) -> None:
    counts = [move(segment, is_done=True), move(segment, row_count=5)]

    segment.refresh_from_db()
    assert counts == [1, 0]
    assert (segment.is_done, segment.cursor_row) == (True, 0)


@pytest.mark.parametrize("page_cursor", [None, 0, "a", ["é", None], {"after": 2**40}])
def test_json_goes_in_as_it_comes_out(segment: Segment, page_cursor: object) -> None:
    move(segment, page_cursor=page_cursor)

    segment.refresh_from_db()
    assert segment.page_cursor == page_cursor
    assert Segment.objects.filter(page_cursor__isnull=True).exists() == (page_cursor is None)


def test_a_duration_moves_the_databases_clock(segment: Segment) -> None:
    move(segment, held_for=timedelta(seconds=20))
    held = Segment.objects.held().filter(claimed_until__lt=database_time(21))

    assert held.get() == segment


def test_a_value_that_is_not_given_is_an_error() -> None:
    with pytest.raises(KeyError, match="name"):
        NAMED.fetch()
