from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tasks_app import events
from tasks_app.events import Actor
from tasks_app.models import CSVName, Effect, EventKind, Segment, Task
from tasks_app.states import Ending, TaskStatus
from tests.factories import SegmentFactory, TaskCSVFactory, TaskFactory
from tests.integration.tasks_app.admin import urls
from tests.integration.tasks_app.admin.conftest import StaffClient
from tests.locking import locked

HOSTILE_NAME = "<script>alert(1)</script>\n\N{RIGHT-TO-LEFT OVERRIDE}vsc.exe"


def read_page(client: Client, task: Task) -> str:
    """Return the HTML of a task's page."""
    answer = client.get(urls.page(task))
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize("status", [status for status in TaskStatus if status != "removed"])
@pytest.mark.parametrize("total_count", [None, 0, 10])
def test_a_task_in_any_status_has_a_page(
    superuser: Client, status: str, total_count: int | None
) -> None:
    task = TaskFactory(status=status, total_count=total_count)
    SegmentFactory(task=task)
    if total_count is not None:
        TaskCSVFactory(task=task)

    assert task.pk in read_page(superuser, task)


def test_nothing_on_the_page_can_be_edited(superuser: Client) -> None:
    task = TaskFactory()

    form = superuser.get(urls.page(task)).context["adminform"].form

    assert list(form.fields) == []


def test_a_task_cannot_be_changed_by_sending_the_page_back(superuser: Client) -> None:
    task = TaskFactory()

    answer = superuser.post(urls.page(task), {"status": "success", "success_count": "10"})

    assert answer.status_code == 403


def test_a_task_cannot_be_added_by_hand(superuser: Client) -> None:
    answer = superuser.get(f"{urls.LIST}add/")

    assert answer.status_code == 403


def test_djangos_own_deleting_is_refused(superuser: Client) -> None:
    task = TaskFactory()

    answer = superuser.post(f"{urls.LIST}{task.pk}/delete/", {"post": "yes"})

    assert answer.status_code == 403
    assert Task.objects.filter(pk=task.pk).exists()


def test_the_page_says_why_the_task_ended_so(superuser: Client) -> None:
    task = TaskFactory(
        status=TaskStatus.INTERNAL_ERROR, ending=Ending.BROKEN, reason="in.csv <is> gone"
    )

    assert "in.csv &lt;is&gt; gone" in read_page(superuser, task)


def test_a_hostile_file_name_is_shown_as_harmless_text(superuser: Client) -> None:
    page = read_page(superuser, TaskFactory(file_name=HOSTILE_NAME))

    assert r"&lt;script&gt;alert(1)&lt;/script&gt;\n\u202evsc.exe" in page
    assert "<script>alert" not in page


def test_a_segment_shows_its_cursor_and_who_holds_it_until_when(superuser: Client) -> None:
    task = TaskFactory(status=TaskStatus.EXECUTING, total_count=2_000)
    until = timezone.now() + timedelta(minutes=5)
    SegmentFactory(
        task=task,
        cursor_row=1_500,
        cursor_offset=31_415,
        claim=7,
        claimed_by="worker-3:42",
        claimed_until=until,
    )

    page = read_page(superuser, task)

    assert "1,500 of 2,000 done, next at byte 31,415" in page
    assert f"worker-3:42 until {until:%Y-%m-%d %H:%M:%S}" in page


def test_a_segment_says_until_when_it_waits_to_send_a_row_again(superuser: Client) -> None:
    task = TaskFactory(status=TaskStatus.EXECUTING)
    until = timezone.now() + timedelta(minutes=1)
    SegmentFactory(task=task, retry_at=until)
    over = TaskFactory(status=TaskStatus.EXECUTING)
    SegmentFactory(task=over, retry_at=timezone.now() - timedelta(seconds=1))

    page = read_page(superuser, task)

    assert f"no answer from outside, sent again after {until:%Y-%m-%d %H:%M:%S}" in page
    assert "no answer from outside" not in read_page(superuser, over)


def test_a_segment_says_until_when_its_task_is_paused(superuser: Client) -> None:
    until = timezone.now() + timedelta(minutes=1)
    task = TaskFactory(status=TaskStatus.EXECUTING, failing_since=until, paused_until=until)
    SegmentFactory(task=task)

    page = read_page(superuser, task)

    assert f"nobody: calls fail, one row is tried after {until:%Y-%m-%d %H:%M:%S}" in page


def test_an_expired_claim_is_called_expired(superuser: Client) -> None:
    task = TaskFactory(status=TaskStatus.EXECUTING)
    SegmentFactory(
        task=task,
        claimed_by="worker-3:42",
        claimed_until=timezone.now() - timedelta(minutes=5),
        idle_claims=3,
        suspect_row=4,
        suspect_trials=2,
    )

    page = read_page(superuser, task)

    assert "worker-3:42 expired at" in page
    assert "3 claims without a commit, 2 workers died on row 4" in page


@pytest.mark.parametrize(
    ("deaths", "said"), [(0, "row 4 is tried alone"), (1, "1 worker died on row 4")]
)
def test_a_suspect_row_is_named_with_the_workers_that_died_on_it(
    superuser: Client, deaths: int, said: str
) -> None:
    task = TaskFactory(status=TaskStatus.EXECUTING)
    SegmentFactory(task=task, suspect_row=4, suspect_trials=deaths)

    assert f"<td>{said}</td>" in read_page(superuser, task)


def test_the_files_that_can_be_downloaded_are_linked(superuser: Client) -> None:
    task = TaskFactory(status=TaskStatus.STOPPED)
    csv = TaskCSVFactory(task=task)
    SegmentFactory(task=task)

    page = read_page(superuser, task)

    for name in (CSVName.INPUT, CSVName.OUTPUT, CSVName.UNPROCESSED):
        assert f'href="{urls.file(task, name)}"' in page
    assert f'href="{urls.file(task, CSVName.FAILED)}"' not in page
    assert csv.sha256 in page


def test_events_say_who_did_what_in_which_request(superuser: Client) -> None:
    task = TaskFactory(status=TaskStatus.EXECUTING)
    actor = Actor("account:5f", "request-77")
    events.record(task, EventKind.STARTED, actor, old_status="pending", note="<b>")

    page = read_page(superuser, task)

    for fact in ("started", "pending → executing", "account:5f", "request-77", "note: &lt;b&gt;"):
        assert fact in page


def test_effects_that_nobody_knows_the_outcome_of_are_shown(superuser: Client) -> None:
    task = TaskFactory(status=TaskStatus.EXECUTING)
    for number, state in enumerate(("sent", "done", "indeterminate"), start=1):
        Effect.objects.create(
            task=task, row_number=number, key=f"key-of-{state}", state=state, claim=1
        )

    page = read_page(superuser, task)

    assert "key-of-indeterminate" in page
    assert "key-of-sent" in page
    assert "key-of-done" not in page


def test_the_page_explains_the_action(superuser: Client) -> None:
    page = read_page(superuser, TaskFactory(category="number_management", action="add"))

    assert "account_id" in page
    assert "E.164: + and 2 to 15 digits" in page


def test_the_page_of_an_action_that_is_gone_says_so(superuser: Client) -> None:
    page = read_page(superuser, TaskFactory(category="gone", action="away"))

    assert "This action is not installed here" in page


@pytest.mark.usefixtures("quiet_registry")
def test_the_number_of_queries_does_not_grow_with_segments_and_events(superuser: Client) -> None:
    task = TaskFactory(status=TaskStatus.EXECUTING)
    SegmentFactory(task=task)
    events.record(task, EventKind.CREATED, events.SYSTEM)
    read_page(superuser, task)  # fills Django's cache of content types
    with CaptureQueriesContext(connection) as few:
        read_page(superuser, task)
    for index in range(1, 30):
        SegmentFactory(task=task, index=index)
        events.record(task, EventKind.DOWNLOADED, events.SYSTEM)

    with CaptureQueriesContext(connection) as many:
        read_page(superuser, task)

    assert len(many) == len(few)


@pytest.mark.parametrize("status", ["executing", "partial"])
def test_everybody_with_the_view_permission_sees_all_of_it(staff: StaffClient, status: str) -> None:
    task = TaskFactory(status=status)
    SegmentFactory(task=task)
    events.record(task, EventKind.CREATED, Actor("account:5f"))

    page = read_page(staff("tasks_app.view_task"), task)

    assert "account:5f" in page
    assert "Segments" in page


def test_a_missing_task_leads_back_to_the_index(superuser: Client) -> None:
    answer = superuser.get(urls.page(TaskFactory.build()))

    assert answer.status_code == 302


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("said", ["its row is locked", "its segments are locked"])
def test_the_page_of_a_task_that_somebody_has_locked_says_who(said: str, superuser: Client) -> None:
    task = TaskFactory(status="executing")
    segment = Segment.objects.create(task=task, index=0, end_row=1)

    with locked(task if "row" in said else segment) as process:
        page = read_page(superuser, task)

    assert said in page
    assert f"process {process} " in page
    assert "locked by" not in read_page(superuser, task)
