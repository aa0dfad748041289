from __future__ import annotations

import pytest
from django.db import connection, transaction

from tasks_app.models import Task
from tasks_app.models.durability import AsynchronousCommit
from tests.factories import TaskFactory


def permit(task: Task) -> int:
    return Task.objects.filter(AsynchronousCommit(), pk=task.pk).update(is_permitted=True)


def commits_wait() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SHOW synchronous_commit")
        return cursor.fetchone() == ("on",)


@pytest.mark.django_db
def test_it_is_always_true() -> None:
    task = TaskFactory.create()

    assert permit(task) == 1
    task.refresh_from_db()
    assert task.is_permitted


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_only_the_commit_of_its_own_statement_does_not_wait() -> None:
    task = TaskFactory.create()

    with transaction.atomic():
        permit(task)
        did_within = commits_wait()
    permit(task)

    assert not did_within
    assert commits_wait()
