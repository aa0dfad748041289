"""Which moves are permitted, and is everything else refused?"""

from itertools import product

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from tasks_app.errors import InvalidTransition
from tasks_app.models import Task
from tasks_app.states import FINAL, MOVES, Ending, TaskStatus, final_status
from tests.factories import TaskFactory

PERMITTED = {
    ("pending", "executing"),
    ("executing", "success"),
    ("executing", "failure"),
    ("executing", "partial"),
    ("executing", "internal_error"),
    ("executing", "stopped"),
    ("pending", "removed"),
    ("success", "removed"),
    ("failure", "removed"),
    ("partial", "removed"),
    ("stopped", "removed"),
    ("internal_error", "removed"),
    ("internal_error", "executing"),
}
OTHERS = sorted(set(product(TaskStatus.values, repeat=2)) - PERMITTED)


def make(status: str) -> Task:
    return TaskFactory.create(status=status)


def changes_for(status: str) -> dict[str, object]:
    now = timezone.now()
    if status == "executing":
        return {"started_at": now, "ended_at": None}
    return {"started_at": now, "ended_at": now} if status in FINAL else {}


def test_the_table_lists_the_permitted_moves_and_no_others() -> None:
    assert {(move.start, move.end) for move in MOVES} == PERMITTED


def test_every_move_has_an_author_and_a_reason() -> None:
    assert all(move.made_by and move.reason for move in MOVES)


@pytest.mark.django_db
@pytest.mark.parametrize(("start", "end"), sorted(PERMITTED))
def test_move_to_makes_a_permitted_move_and_raises_the_revision(start: str, end: str) -> None:
    task = make(start)
    before = task.revision

    task.move_to(TaskStatus(end), **changes_for(end))

    stored = Task.objects.get(pk=task.pk)
    assert (stored.status, stored.revision) == (end, before + 1)


@pytest.mark.django_db
@pytest.mark.parametrize(("start", "end"), OTHERS)
def test_move_to_refuses_any_other(start: str, end: str) -> None:
    task = make(start)

    with pytest.raises(InvalidTransition):
        task.move_to(TaskStatus(end), **changes_for(end))

    assert Task.objects.get(pk=task.pk).status == start


@pytest.mark.django_db
@pytest.mark.parametrize("status", sorted(FINAL))
def test_the_database_refuses_a_final_status_without_an_end(status: str) -> None:
    task = make("executing")

    with pytest.raises(IntegrityError), transaction.atomic():
        Task.objects.filter(pk=task.pk).update(status=status)


@pytest.mark.django_db
def test_the_database_refuses_more_outcomes_than_rows() -> None:
    task = TaskFactory.create(status="executing", total_count=2)

    with pytest.raises(IntegrityError), transaction.atomic():
        Task.objects.filter(pk=task.pk).update(success_count=2, failure_count=1)


@pytest.mark.parametrize(
    ("ending", "success", "failure", "left", "status"),
    [
        (Ending.COMPLETED, 3, 0, 0, "success"),
        (Ending.COMPLETED, 0, 0, 0, "success"),
        (Ending.COMPLETED, 0, 3, 0, "failure"),
        (Ending.COMPLETED, 2, 1, 0, "partial"),
        (Ending.REFUSED, 0, 0, 3, "failure"),
        (Ending.REFUSED, 2, 0, 1, "partial"),  # a version that changed in between
        (Ending.CUT_SHORT, 1, 1, 1, "partial"),
        (Ending.CUT_SHORT, 0, 1, 2, "failure"),
        (Ending.CUT_SHORT, 1, 0, 0, "partial"),  # without input
        (Ending.BROKEN, 0, 0, 3, "internal_error"),
        (Ending.BROKEN, 3, 0, 0, "internal_error"),
    ],
)
def test_final_status_follows_the_counts(
    ending: Ending, success: int, failure: int, left: int, status: str
) -> None:
    assert (
        final_status(ending, success_count=success, failure_count=failure, left_count=left)
        == status
    )
