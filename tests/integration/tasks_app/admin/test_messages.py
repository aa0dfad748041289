"""Celery's log of failed messages, linked to the tasks they were for."""

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import NoReverseMatch, reverse
from django_celery_results.models import TaskResult

from tasks_app.models import Task
from tasks_app.queue.dispatch import OF_TASKS, RUN_SLICE
from tests.factories import TaskFactory
from tests.integration.tasks_app.admin import urls
from tests.integration.tasks_app.admin.conftest import StaffClient


def make_failure(task: Task, name: str = RUN_SLICE, **facts: Any) -> TaskResult:
    """Return a failed message of a task, as django-celery-results writes it."""
    return TaskResult.objects.create(
        **{
            "task_id": f"message-of-{task.pk}",
            "task_name": name,
            "task_args": json.dumps(repr((task.pk, 3))),
            "task_kwargs": '"{}"',
            "status": "FAILURE",
            "worker": "celery@worker-3",
            "content_type": "application/json",
            "content_encoding": "utf-8",
            "result": '{"exc_type": "ValueError", "exc_message": ["<b>boom"], "exc_module": ""}',
            "traceback": "Traceback: <b>boom",
            **facts,
        }
    )


def link_to(message: TaskResult) -> str:
    """Return the address of a message's page."""
    return reverse("admin:django_celery_results_taskresult_change", args=[message.pk])


@pytest.mark.parametrize("name", OF_TASKS)
def test_a_failed_message_is_linked_on_the_page_of_its_task(superuser: Client, name: str) -> None:
    task = TaskFactory()
    message = make_failure(task, name)

    page = superuser.get(urls.page(task)).content.decode()

    assert link_to(message) in page
    assert "ValueError: &lt;b&gt;boom" in page


def test_other_messages_are_not_on_the_page(superuser: Client) -> None:
    task, other = TaskFactory(), TaskFactory()
    make_failure(other)
    make_failure(task, status="SUCCESS")

    page = superuser.get(urls.page(task)).content.decode()

    assert "Messages that failed" not in page


def test_the_link_is_for_those_who_may_follow_it(staff: StaffClient) -> None:
    task = TaskFactory()
    message = make_failure(task)

    page = staff("tasks_app.view_task").get(urls.page(task)).content.decode()

    assert "ValueError" in page
    assert link_to(message) not in page


def test_a_message_is_linked_to_its_task(staff: StaffClient) -> None:
    task = TaskFactory()
    message = make_failure(task)
    client = staff("django_celery_results.view_taskresult")

    listed = client.get(urls.MESSAGES).content.decode()
    page = client.get(link_to(message)).content.decode()

    for text in (listed, page):
        assert urls.page(task) in text
        assert "ValueError: &lt;b&gt;boom" in text
    assert "Traceback: &lt;b&gt;boom" in page


@pytest.mark.parametrize(
    "facts",
    [
        {"task_name": "tasks_app.sweep", "task_args": '"()"'},
        {"task_name": None, "task_args": None, "task_kwargs": None},
        {"result": None},
        {"result": "no JSON"},
        {"result": '"a text"'},
    ],
)
def test_a_message_of_any_shape_is_shown(superuser: Client, facts: dict[str, Any]) -> None:
    message = make_failure(TaskFactory(), **facts)

    assert superuser.get(urls.MESSAGES).status_code == 200
    assert superuser.get(link_to(message)).status_code == 200


@pytest.mark.parametrize("address", ["add/", "{pk}/change/", "{pk}/delete/"])
def test_messages_are_not_written_by_hand(superuser: Client, address: str) -> None:
    message = make_failure(TaskFactory())

    answer = superuser.post(f"{urls.MESSAGES}{address.format(pk=message.pk)}", {"post": "yes"})

    assert answer.status_code == 403


def test_messages_are_found_by_task(superuser: Client) -> None:
    task = TaskFactory()
    message = make_failure(task)
    make_failure(TaskFactory())

    answer = superuser.get(urls.MESSAGES, {"q": task.pk})

    assert list(answer.context["cl"].result_list) == [message]


def test_groups_of_messages_are_not_shown_for_there_are_none(superuser: Client) -> None:
    with pytest.raises(NoReverseMatch):
        reverse("admin:django_celery_results_groupresult_changelist")
