"""Who may start, stop, retry and delete tasks, what happens, and what is the answer?"""

from dataclasses import replace

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.test import Client

from tasks_app import events, lifecycle
from tasks_app.admin import operations
from tasks_app.errors import StorageUnavailable, TaskAlreadyStarted
from tasks_app.models import EventKind, Task, TaskEvent
from tasks_app.states import TaskStatus
from tests.factories import SegmentFactory, TaskFactory
from tests.integration.tasks_app.admin import urls
from tests.integration.tasks_app.admin.conftest import StaffClient

VIEW, CHANGE, DELETE = "tasks_app.view_task", "tasks_app.change_task", "tasks_app.delete_task"
STEPS = [
    ("start", TaskStatus.PENDING, TaskStatus.EXECUTING, EventKind.STARTED),
    ("stop", TaskStatus.EXECUTING, TaskStatus.STOPPED, EventKind.STOPPED),
    ("retry", TaskStatus.INTERNAL_ERROR, TaskStatus.EXECUTING, EventKind.RETRIED),
    ("remove", TaskStatus.SUCCESS, TaskStatus.REMOVED, EventKind.REMOVED),
]
each_step = pytest.mark.parametrize(("name", "before", "after", "kind"), STEPS)


def make(status: str) -> Task:
    """Return a task in a status; a broken one has rows left."""
    task: Task = TaskFactory(status=status)
    if status == TaskStatus.INTERNAL_ERROR:
        SegmentFactory(task=task, end_row=None)
    return task


def status_of(task: Task) -> str:
    """Return a task's status in the database."""
    return Task.objects.get(pk=task.pk).status


def choose(client: Client, name: str, *tasks: Task, **more: str) -> str:
    """Tick tasks in the list, press "Go", and return the page that follows."""
    form = {
        "action": f"{name}_tasks",
        "index": "0",
        ACTION_CHECKBOX_NAME: [task.pk for task in tasks],
        **more,
    }
    answer = client.post(urls.LIST, form, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


# ---- Buttons -------------------------------------------------------------------------------------


@each_step
def test_a_button_takes_the_step_and_names_who_pressed_it(
    superuser: Client, name: str, before: str, after: str, kind: str
) -> None:
    task = make(before)

    answer = superuser.post(
        urls.step(task, name), {"confirmed": "yes"}, headers={"X-Request-Id": "request-77"}
    )

    event = TaskEvent.objects.get(task_id=task.pk)
    assert answer.status_code == 302
    assert status_of(task) == after
    assert (event.kind, event.actor, event.request_id) == (kind, "staff:root", "request-77")
    assert (event.old_status, event.new_status) == (before, after)


@each_step
def test_a_button_is_there_only_when_it_can_do_something(
    superuser: Client, name: str, before: str, after: str, kind: str
) -> None:
    for status in set(TaskStatus) - {TaskStatus.REMOVED}:
        task = TaskFactory(status=status)
        page = superuser.get(urls.page(task)).content.decode()
        is_offered = urls.step(task, name) in page
        expected = status != "executing" if name == "remove" else status == before
        assert is_offered == expected, status


@each_step
def test_getting_the_address_of_a_button_changes_nothing(
    superuser: Client, name: str, before: str, after: str, kind: str
) -> None:
    task = make(before)

    answer = superuser.get(urls.step(task, name), {"confirmed": "yes"})

    assert answer.status_code == 405
    assert status_of(task) == before


@each_step
def test_a_button_without_the_csrf_token_changes_nothing(
    superuser: Client, name: str, before: str, after: str, kind: str
) -> None:
    task = make(before)
    superuser.handler.enforce_csrf_checks = True

    answer = superuser.post(urls.step(task, name), {"confirmed": "yes"})

    assert answer.status_code == 403
    assert status_of(task) == before


@each_step
@pytest.mark.parametrize("given", [(VIEW,), (), (CHANGE,), (VIEW, DELETE), (DELETE,)])
def test_a_button_needs_its_permission(
    staff: StaffClient, given: tuple[str, ...], name: str, before: str, after: str, kind: str
) -> None:
    task = make(before)
    client = staff(*given)
    needed = {VIEW, DELETE} if name == "remove" else {CHANGE}  # who may change may look

    page = client.get(urls.page(task)).content.decode()
    answer = client.post(urls.step(task, name), {"confirmed": "yes"})

    may = needed <= set(given)
    assert (urls.step(task, name) in page) == may
    assert answer.status_code == (302 if may else 403)
    assert status_of(task) == (after if may else before)


@each_step
def test_nobody_steers_without_signing_in(
    db: None, client: Client, name: str, before: str, after: str, kind: str
) -> None:
    task = make(before)

    answer = client.post(urls.step(task, name), {"confirmed": "yes"})

    assert answer.status_code == 302
    assert "/admin/login/" in answer["Location"]
    assert status_of(task) == before


def test_a_button_that_comes_too_late_says_why(superuser: Client) -> None:
    task = TaskFactory(status=TaskStatus.SUCCESS)

    answer = superuser.post(urls.step(task, "start"), follow=True)

    assert f"Not started (task already started): {task.pk}." in answer.content.decode()


def test_deleting_asks_first(superuser: Client) -> None:
    task = TaskFactory(status=TaskStatus.SUCCESS)

    answer = superuser.post(urls.step(task, "remove"))

    assert "Delete tasks?" in answer.content.decode()
    assert status_of(task) == TaskStatus.SUCCESS


def test_a_deleted_task_leads_back_to_the_list(superuser: Client) -> None:
    task = TaskFactory(status=TaskStatus.SUCCESS)

    answer = superuser.post(urls.step(task, "remove"), {"confirmed": "yes"})

    assert answer["Location"] == urls.LIST


def test_an_unknown_step_is_not_found(superuser: Client) -> None:
    assert superuser.post(urls.step(TaskFactory(), "explode")).status_code == 404


# ---- The list's actions --------------------------------------------------------------------------


@each_step
def test_an_action_takes_the_step_with_each_chosen_task(
    superuser: Client, name: str, before: str, after: str, kind: str
) -> None:
    chosen = [make(before), make(before)]
    other = make(before)

    choose(superuser, name, *chosen, confirmed="yes")

    assert [status_of(task) for task in chosen] == [after, after]
    assert status_of(other) == before
    assert set(TaskEvent.objects.values_list("actor", flat=True)) == {"staff:root"}


def test_an_action_answers_for_each_task(superuser: Client) -> None:
    pending, executing = TaskFactory(), TaskFactory(status=TaskStatus.EXECUTING)

    page = choose(superuser, "start", pending, executing)

    assert f"Started: {pending.pk}." in page
    assert f"Not started (task already started): {executing.pk}." in page


def test_a_running_task_is_not_deleted_with_the_others(superuser: Client) -> None:
    ended, executing = (TaskFactory(status=status) for status in ("success", "executing"))

    page = choose(superuser, "remove", ended, executing, confirmed="yes")

    assert status_of(ended) == TaskStatus.REMOVED
    assert status_of(executing) == TaskStatus.EXECUTING
    assert f"Deleted: {ended.pk}." in page
    assert f"stop it first): {executing.pk}." in page


def test_a_task_that_vanished_meanwhile_is_reported(superuser: Client) -> None:
    task = TaskFactory(status=TaskStatus.REMOVED)

    page = choose(superuser, "stop", task)

    assert f"Not stopped (There is no such task in this account): {task.pk}." in page


def test_a_chosen_task_is_done_whatever_the_filter_says_of_it_by_now(superuser: Client) -> None:
    task = TaskFactory(status=TaskStatus.EXECUTING)
    form = {"action": "start_tasks", "index": "0", ACTION_CHECKBOX_NAME: [task.pk]}

    answer = superuser.post(f"{urls.LIST}?status=pending", form, follow=True)

    assert f"Not started (task already started): {task.pk}." in answer.content.decode()


def test_deleting_from_the_list_asks_first(superuser: Client) -> None:
    tasks = TaskFactory.create_batch(2, status=TaskStatus.SUCCESS)

    page = choose(superuser, "remove", *tasks)

    assert "Delete tasks?" in page
    assert all(task.pk in page for task in tasks)
    assert {status_of(task) for task in tasks} == {TaskStatus.SUCCESS}


@pytest.mark.parametrize(
    ("given", "offered"),
    [
        ((VIEW,), set()),
        ((CHANGE,), {"start_tasks", "stop_tasks", "retry_tasks"}),
        ((VIEW, DELETE), {"remove_tasks"}),
    ],
)
def test_the_list_offers_what_is_permitted(
    staff: StaffClient, given: tuple[str, ...], offered: set[str]
) -> None:
    TaskFactory()
    client = staff(*given)

    page = client.get(urls.LIST).content.decode()

    names = ("start_tasks", "stop_tasks", "retry_tasks", "remove_tasks")
    found = {name for name in names if name in page}
    assert found == offered
    assert "delete_selected" not in page


@each_step
def test_an_action_that_is_not_permitted_changes_nothing(
    staff: StaffClient, name: str, before: str, after: str, kind: str
) -> None:
    task = make(before)

    choose(staff(VIEW), name, task, confirmed="yes")

    assert status_of(task) == before


def test_djangos_cascading_delete_is_not_to_be_had(superuser: Client) -> None:
    task = TaskFactory()
    form = {"action": "delete_selected", ACTION_CHECKBOX_NAME: [task.pk], "post": "yes"}

    superuser.post(urls.LIST, form)

    assert Task.objects.filter(pk=task.pk).exists()


def test_all_tasks_of_all_pages_at_once_are_refused(superuser: Client) -> None:
    tasks = TaskFactory.create_batch(3)

    page = choose(superuser, "start", tasks[0], select_across="1")

    assert "At most 200 tasks at a time." in page
    assert {status_of(task) for task in tasks} == {TaskStatus.PENDING}


# ---- The result for each task --------------------------------------------------------------------


def test_the_steps_are_lifecycles(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = [step.carry_out for step in operations.OPERATIONS.values()]

    assert steps == [lifecycle.start, lifecycle.stop, lifecycle.retry, lifecycle.remove]


def test_a_refused_task_does_not_keep_the_others_back(db: None) -> None:
    first, last = TaskFactory(), TaskFactory()
    started = TaskFactory(status=TaskStatus.EXECUTING)

    report = operations.carry_out(
        operations.START, [first.pk, started.pk, last.pk], events.Actor("staff:root")
    )

    assert report.done == [first.pk, last.pk]
    assert report.refused == {TaskAlreadyStarted.sentence(): [started.pk]}


def test_a_storage_that_is_away_is_waited_for_once(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Task] = []

    def be_away(task: Task, *_: object) -> None:
        asked.append(task)
        if len(asked) > 1:
            raise StorageUnavailable("away")

    tasks = [TaskFactory() for _ in range(3)]
    step = replace(operations.RETRY, carry_out=be_away)

    report = operations.carry_out(step, [task.pk for task in tasks], events.Actor("staff:root"))

    assert report.done == [tasks[0].pk]
    assert report.refused == {"away": [tasks[1].pk, tasks[2].pk]}
    assert len(asked) == 2
