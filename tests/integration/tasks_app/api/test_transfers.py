"""What is the answer when all slots for uploads or downloads are in use?"""

from typing import Any

import pytest
from django.test import Client

from piston.http.transfers import (
    SLOT_HOLDER,
    SMALL_BYTES,
    SlotHolder,
    TransferSlots,
    try_to_look_up_tree,
)
from tasks_app.models import CSVName, Task, TaskCSV, TaskEvent
from tests.factories import AccountFactory, TaskCSVFactory, TaskFactory
from tests.integration.tasks_app.api.calls import GOOD_CSV, Caller, shown

pytestmark = pytest.mark.django_db


@pytest.fixture
def slots() -> TransferSlots:
    return TransferSlots(2, per_client=1)


def holder(slots: TransferSlots) -> dict[str, Any]:
    """Return what the server adds to a request whose body is still to come."""
    return {SLOT_HOLDER: SlotHolder(slots, "127.0.0.1", body_is_here=False)}


def upload(caller: Caller, slots: TransferSlots) -> Any:
    path = f"{caller.tasks}?category=trial&action=check"
    return caller.send(path, "text/csv", data=GOOD_CSV, **holder(slots))


def assert_refused(response: Any, status: int, message: str) -> None:
    assert response.status_code == status
    assert response.json()["message"] == message
    assert int(response.headers["Retry-After"]) >= 1


def test_an_upload_with_a_slot_is_taken(caller: Caller, slots: TransferSlots) -> None:
    shown(upload(caller, slots), 201)


@pytest.mark.parametrize(
    ("holders", "status", "message"),
    [(["own"], 429, "too_many_requests"), (["a", "b"], 503, "service_unavailable")],
)
def test_an_upload_without_a_slot_leaves_nothing(
    caller: Caller, slots: TransferSlots, holders: list[str], status: int, message: str
) -> None:
    for holder in holders:
        name = caller.account.pk if holder == "own" else holder
        slots.take(name, name)

    assert_refused(upload(caller, slots), status, message)

    assert not Task.objects.exists()
    assert not TaskCSV.objects.exists()


def test_who_may_not_upload_takes_no_slot(caller: Caller, slots: TransferSlots) -> None:
    caller.client = Client()  # without the token

    response = upload(caller, slots)

    assert response.status_code == 401
    assert slots.taken == 0


def test_a_download_without_a_slot_is_refused_and_not_written_down(
    caller: Caller, slots: TransferSlots
) -> None:
    task = TaskFactory.create(account=caller.account)
    TaskCSVFactory.create(task=task, name=CSVName.INPUT, content=b"x" * (SMALL_BYTES + 1))
    slots.take(caller.account.pk, caller.account.pk)

    response = caller.call("GET", f"/{task.pk}?csv_name=in.csv", **holder(slots))

    assert_refused(response, 429, "too_many_requests")
    assert not TaskEvent.objects.filter(kind="downloaded").exists()


def test_an_account_and_its_children_count_as_one_tree(caller: Caller) -> None:
    slots = TransferSlots(8, per_client=4)
    child = Caller(AccountFactory(parent=AccountFactory(parent=caller.account)))
    for client in ("a", "b", "c", "d", "e", "f", "g"):
        slots.take(client, caller.account.pk)

    assert_refused(upload(child, slots), 503, "service_unavailable")

    shown(upload(Caller(AccountFactory()), slots), 201)


def test_a_child_that_is_refused_before_it_takes_a_slot_lingers_as_part_of_its_tree(
    caller: Caller,
) -> None:
    child = Caller(AccountFactory(parent=caller.account))
    asking = SlotHolder(TransferSlots(1, per_client=1), "127.0.0.1", body_is_here=False)
    path = f"{child.tasks}?category=trial&action=missing"

    response = child.send(path, "text/csv", data=GOOD_CSV, **{SLOT_HOLDER: asking})
    assert (response.status_code >= 400, asking.is_known_with_tree) == (True, False)
    try_to_look_up_tree(asking)

    assert (asking.is_known_with_tree, asking.tree) == (True, caller.account.pk)
