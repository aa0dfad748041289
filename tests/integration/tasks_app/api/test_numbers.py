"""What do clients see of the actions of number_management?"""

import csv
import io
from typing import Any

import pytest

from categories.number_management.models import PhoneNumber
from categories.number_management.tests.factories import NUMBER, PhoneNumberFactory
from piston.accounts.models import Account
from tasks_app.execution import assembly, worker
from tests.integration.tasks_app.api.calls import Caller, shown

pytestmark = pytest.mark.django_db(transaction=True)


def run(caller: Caller, action: str, body: bytes = b"", **query: str) -> list[dict[str, str]]:
    """Run a task over a file, or without one; return the lines of its output."""
    content_type = "text/csv" if body else ""
    response = caller.put(body, content_type, category="number_management", action=action, **query)
    task_id = shown(response, 201)["id"]
    work_off(caller, task_id)
    return list(csv.DictReader(io.StringIO(download(caller, task_id).decode())))


def work_off(caller: Caller, task_id: str) -> None:
    """Start a task, and run it to its end as a worker does."""
    shown(caller.call("PATCH", f"/{task_id}"))
    worker.run_slice(task_id, "a-message")
    assembly.assemble(task_id)


def download(caller: Caller, task_id: str) -> bytes:
    content: bytes = caller.get(f"/{task_id}/output").getvalue()
    return content


def write(lines: list[dict[str, str]]) -> bytes:
    """Return lines as a CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]))
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue().encode()


def test_a_list_is_imported_as_it_is(caller: Caller, account: Account) -> None:
    PhoneNumberFactory.create(number=NUMBER, account=account, features={"e911": {"region": "DE"}})
    PhoneNumberFactory.create(state="reserved", account=account, carrier_module="knm_telnyx")
    listed = run(caller, "list")
    PhoneNumber.objects.all().delete()

    imported = run(caller, "import", write(listed))

    assert "error" not in listed[0]
    assert [line["error"] for line in imported] == ["", ""]
    assert {line["state"] for line in imported} == {"in_service"}
    assert {line["carrier_module"] for line in imported} == {"knm_local"}
    changing = ("state", "carrier_module", "created", "modified", "error")
    assert drop(imported, changing) == drop(listed, changing)
    again = run(caller, "import", write(imported))
    assert [line["error"] for line in again] == [
        f"number {line['e164']} already exists" for line in imported
    ]


def drop(lines: list[dict[str, str]], names: tuple[str, ...]) -> list[dict[str, str]]:
    return [{name: cell for name, cell in line.items() if name not in names} for line in lines]


def test_columns_of_ones_own_become_public_fields(caller: Caller, account: Account) -> None:
    PhoneNumberFactory.create(number=NUMBER, account=account)

    lines = run(caller, "update_merge", f"e164,opaque.crm.id,opaque.note\n{NUMBER},7,\n".encode())

    assert lines[0]["error"] == ""
    assert PhoneNumber.objects.get().features == {"crm": {"id": "7"}}


@pytest.mark.parametrize("name", ["opaque", "opaque.", "opaque.*", "opaque.a..b", "own.a"])
def test_other_columns_are_unknown(caller: Caller, name: str) -> None:
    response: Any = caller.put(
        f"e164,{name}\n{NUMBER},x\n".encode(), category="number_management", action="update_merge"
    )

    assert response.status_code == 500
    assert response.json()["data"]["attachment"]["type"]["unknown_fields"] == [name]


@pytest.mark.parametrize("action", ["update_merge", "update_overwrite"])
def test_the_template_can_be_sent_as_it_is(caller: Caller, action: str) -> None:
    query = f"?category=number_management&action={action}"
    template = caller.client.get(f"/v2/tasks{query}", headers={"Accept": "text/csv"}).content

    lines = run(caller, action, template)

    assert [line["error"] for line in lines] == [f"number {NUMBER} not found"]


@pytest.mark.parametrize("action", ["dump", "dump_in_service", "delete"])
def test_what_is_for_the_super_duper_admin_is_refused(caller: Caller, action: str) -> None:
    body = f"e164\n{NUMBER}\n".encode() if action == "delete" else b""
    PhoneNumberFactory.create(number=NUMBER)
    content_type = "text/csv" if body else ""
    response = caller.put(body, content_type, category="number_management", action=action)
    task_id = shown(response, 201)["id"]

    work_off(caller, task_id)

    task = shown(caller.get(f"/{task_id}"))
    assert task["status"] == "failure"
    assert task["reason"] == "requestor is unauthorized to perform operation"
    assert PhoneNumber.objects.count() == 1
