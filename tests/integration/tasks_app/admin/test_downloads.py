import pytest
from django.core.files.storage import default_storage
from django.test import Client

from tasks_app.models import CSVName, EventKind, TaskEvent
from tasks_app.states import TaskStatus
from tests.factories import PartFactory, SegmentFactory, TaskCSVFactory, TaskFactory
from tests.integration.tasks_app.admin import urls
from tests.integration.tasks_app.admin.conftest import StaffClient

CONTENT = b"number,note\n+14157215234,\xc3\xa4\n"


def test_a_file_comes_byte_for_byte_as_an_attachment(superuser: Client) -> None:
    csv = TaskCSVFactory(content=CONTENT)

    answer = superuser.get(urls.file(csv.task, "in.csv"))

    assert b"".join(answer.streaming_content) == CONTENT
    assert answer["Content-Type"] == "text/csv"
    assert answer["Content-Length"] == str(len(CONTENT))
    name = f"number_management_add_{csv.task.pk}_in.csv"
    assert answer["Content-Disposition"] == f'attachment; filename="{name}"'


def test_a_file_for_a_spreadsheet_has_no_formulas(superuser: Client) -> None:
    csv = TaskCSVFactory(content=b"number,note\n1,=HYPERLINK(0)\n")

    answer = superuser.get(urls.file(csv.task, "in.csv"), {"spreadsheet": ""})

    assert b"".join(answer.streaming_content) == b"number,note\n1,'=HYPERLINK(0)\n"
    assert "Content-Length" not in answer


def test_a_download_leaves_an_event(superuser: Client) -> None:
    csv = TaskCSVFactory()

    superuser.get(urls.file(csv.task, "in.csv"), headers={"X-Request-Id": "request-77"})

    event = TaskEvent.objects.get(task_id=csv.task.pk)
    assert (event.kind, event.actor) == (EventKind.DOWNLOADED, "staff:root")
    assert (event.request_id, event.detail) == ("request-77", {"name": "in.csv"})


def test_the_output_of_a_stopped_task_is_streamed_from_its_parts(superuser: Client) -> None:
    task = TaskFactory(status=TaskStatus.STOPPED, success_count=2)
    TaskCSVFactory(task=task)
    SegmentFactory(task=task, cursor_row=2)
    PartFactory(task=task, number=0, output=b"first\n")
    PartFactory(task=task, number=1, output=b"second\n")

    answer = superuser.get(urls.file(task, CSVName.OUTPUT))

    assert b"".join(answer.streaming_content).endswith(b"first\nsecond\n")


@pytest.mark.parametrize("name", ["out.csv", "nothing.csv", "..%2f..%2fsecret_key"])
def test_a_file_that_the_task_does_not_have_is_not_found(superuser: Client, name: str) -> None:
    csv = TaskCSVFactory()

    assert superuser.get(urls.file(csv.task, name)).status_code == 404
    assert not TaskEvent.objects.exists()


@pytest.mark.parametrize("status", [TaskStatus.REMOVED, None])
def test_a_task_that_is_gone_has_no_files(superuser: Client, status: str | None) -> None:
    task = TaskFactory(status=status) if status else TaskFactory.build()

    assert superuser.get(urls.file(task, "in.csv")).status_code == 404


def test_a_file_that_storage_lost_is_reported_on_the_tasks_page(superuser: Client) -> None:
    csv = TaskCSVFactory()
    default_storage.delete(csv.key)

    answer = superuser.get(urls.file(csv.task, "in.csv"), follow=True)

    assert "The file in.csv cannot be read now" in answer.content.decode()
    assert not TaskEvent.objects.exists()


def test_a_file_is_only_got(superuser: Client) -> None:
    csv = TaskCSVFactory()

    assert superuser.post(urls.file(csv.task, "in.csv")).status_code == 405


def test_a_download_needs_the_view_permission(staff: StaffClient) -> None:
    csv = TaskCSVFactory()

    assert staff("accounts.view_account").get(urls.file(csv.task, "in.csv")).status_code == 403


def test_the_view_permission_is_enough(staff: StaffClient) -> None:
    csv = TaskCSVFactory()

    answer = staff("tasks_app.view_task").get(urls.file(csv.task, "in.csv"))

    assert answer.status_code == 200
    assert TaskEvent.objects.get().actor == "staff:clerk"


def test_nobody_downloads_without_signing_in(db: None, client: Client) -> None:
    csv = TaskCSVFactory()

    answer = client.get(urls.file(csv.task, "in.csv"))

    assert answer.status_code == 302
    assert "/admin/login/" in answer["Location"]
