from typing import Any

import pytest
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.test import RequestFactory

from piston.http.bodies import Body, open_body
from piston.http.errors import RequestTimeout, RequestTooLarge, find_answer
from piston.http.middleware import StreamMiddleware
from piston.http.transfers import (
    SLOT_HOLDER,
    SMALL_BYTES,
    NoFreeSlot,
    ServerStopping,
    SlotHolder,
    TooSlow,
    TransferSlots,
    name_client,
    take_slot_for_body,
)


@pytest.fixture
def slots() -> TransferSlots:
    return TransferSlots(3, per_client=2)


def holder(slots: TransferSlots, client: str = "a", *, body_is_here: bool = False) -> SlotHolder:
    return SlotHolder(slots, client, body_is_here=body_is_here)


def upload(holder: SlotHolder | None, size: int = 5) -> HttpRequest:
    request = RequestFactory().put("/v2/tasks", b"x" * size)
    if holder:
        request.META[SLOT_HOLDER] = holder
    return request


class Failing:
    def __init__(self, error: Exception) -> None:
        self.error = error

    def read(self, size: int, /) -> bytes:
        raise self.error


# ---- Slots and slot holders ----------------------------------------------------------------------


def take_all(slots: TransferSlots, client: str, tree: str = "") -> int:
    """Take slots until one is refused; return how many there were."""
    for count in range(100):
        try:
            slots.take(client, tree or client)
        except NoFreeSlot:
            return count
    raise AssertionError("never refused")


def test_slots_run_out(slots: TransferSlots) -> None:
    for client in "aab":
        slots.take(client, client)

    with pytest.raises(NoFreeSlot) as refused:
        slots.take("c", "c")

    assert not refused.value.is_own_fault
    assert slots.taken == 3


def test_one_client_gets_only_a_share(slots: TransferSlots) -> None:
    slots.take("a", "a")
    slots.take("a", "a")

    with pytest.raises(NoFreeSlot) as refused:
        slots.take("a", "a")

    assert refused.value.is_own_fault
    slots.take("b", "b")


def test_a_slot_that_was_given_back_is_free(slots: TransferSlots) -> None:
    for _ in range(10):
        slots.take("a", "a")
        slots.give_back("a", "a")

    assert slots.taken == 0


def test_the_last_quarter_is_for_clients_that_hold_none() -> None:
    slots = TransferSlots(24, per_client=12)

    counts = [take_all(slots, f"client {number}") for number in range(9)]

    assert counts == [12, 6, 1, 1, 1, 1, 1, 1, 0]


@pytest.mark.parametrize("children", [1, 2, 24])
def test_one_tree_never_holds_all_slots(children: int) -> None:
    slots = TransferSlots(24, per_client=12)

    for number in range(children + 1):
        take_all(slots, f"child {number}", "tree")

    for tree in ("other", "another", "third"):
        assert take_all(slots, tree) >= 1


@pytest.mark.parametrize("count", range(2, 33))
@pytest.mark.parametrize("children", [1, 2, 32])
def test_a_stranger_finds_a_slot_however_many_there_are(count: int, children: int) -> None:
    slots = TransferSlots(count, per_client=max(1, count // 2))

    for number in range(children):
        take_all(slots, f"child {number}", "tree")

    assert take_all(slots, "stranger") >= 1


def test_a_single_slot_is_for_the_first_client() -> None:
    slots = TransferSlots(1, per_client=1)

    assert [take_all(slots, client) for client in ("a", "b")] == [1, 0]


def test_a_client_that_holds_none_finds_a_slot_in_a_tree_that_holds_many() -> None:
    slots = TransferSlots(24, per_client=12)
    for client in ("parent", "child"):
        take_all(slots, client, "tree")

    assert take_all(slots, "another child", "tree") == 1


def test_a_request_takes_one_slot_however_often_it_asks(slots: TransferSlots) -> None:
    asking = holder(slots)

    asking.take()
    asking.take()

    assert (asking.has_slot, slots.taken) == (True, 1)


def test_a_slot_holder_gives_back_what_it_took_after_its_client_is_renamed(
    slots: TransferSlots,
) -> None:
    asking = holder(slots, "address")
    asking.take()

    name_client({SLOT_HOLDER: asking}, "account")
    asking.release()
    asking.release()

    assert (asking.has_slot, slots.taken) == (False, 0)


def test_the_tree_of_an_account_is_looked_up_once_and_only_for_a_transfer(
    slots: TransferSlots,
) -> None:
    asking = holder(slots)
    lookups = []

    def find_tree() -> str:
        lookups.append("tree")
        return "tree"

    name_client({SLOT_HOLDER: asking}, "child", find_tree)
    assert (asking.is_known, lookups) == (True, [])
    for _ in range(2):
        take_slot_for_body({SLOT_HOLDER: asking})

    assert (asking.client, asking.tree, lookups) == ("child", "tree", ["tree"])


def test_an_address_is_no_known_client(slots: TransferSlots) -> None:
    asking = holder(slots)

    name_client({SLOT_HOLDER: asking}, "192.0.2.1")

    assert (asking.is_known, asking.tree) == (False, "192.0.2.1")


def test_without_a_server_that_gives_tickets_there_is_no_limit() -> None:
    name_client({}, "account")

    assert open_body(upload(None), limit_bytes=10).read() == b"xxxxx"


# ---- Bodies --------------------------------------------------------------------------------------


def test_an_upload_that_must_be_waited_for_needs_a_slot_before_a_byte_is_read(
    slots: TransferSlots,
) -> None:
    open_body(upload(holder(slots)), limit_bytes=10)
    open_body(upload(holder(slots)), limit_bytes=10)

    with pytest.raises(NoFreeSlot):
        open_body(upload(holder(slots)), limit_bytes=10)


def test_a_body_that_is_here_needs_no_slot(slots: TransferSlots) -> None:
    open_body(upload(holder(slots, body_is_here=True)), limit_bytes=10)

    assert slots.taken == 0


def test_a_body_that_is_too_large_takes_no_slot(slots: TransferSlots) -> None:
    with pytest.raises(RequestTooLarge):
        open_body(upload(holder(slots)), limit_bytes=4)

    assert slots.taken == 0


def test_a_body_from_a_slow_client_raises_at_each_read() -> None:
    body = Body(Failing(TooSlow(1024)), length=5, limit_bytes=10)

    for _ in range(2):
        with pytest.raises(RequestTimeout, match="request_timeout") as answer:
            body.read()

    assert answer.value.status == 408
    assert "1024" in answer.value.data["reason"]


@pytest.mark.parametrize("error", [ServerStopping(), NoFreeSlot(is_own_fault=False)])
def test_what_is_no_fault_of_the_client_asks_it_to_come_back(error: Exception) -> None:
    with pytest.raises(type(error)) as raised:
        Body(Failing(error), length=5, limit_bytes=10).read()

    answer = find_answer(raised.value)
    assert (answer.status, answer.message) == (503, "service_unavailable")
    assert 1 <= int(answer.headers["Retry-After"]) <= 5


def test_a_client_with_too_many_transfers_gets_429() -> None:
    answer = find_answer(NoFreeSlot(is_own_fault=True))

    assert (answer.status, answer.message) == (429, "too_many_requests")
    assert "same time" in answer.data["reason"]
    assert int(answer.headers["Retry-After"]) >= 1


# ---- Streams -------------------------------------------------------------------------------------


def answer_through_middleware(
    response: HttpResponseBase, holder: SlotHolder, method: str = "GET"
) -> Any:
    request = RequestFactory().generic(method, "/v2/tasks/x", **{SLOT_HOLDER: holder})
    return StreamMiddleware(lambda _: response)(request)


def stream(size: int | None) -> StreamingHttpResponse:
    headers = {} if size is None else {"Content-Length": str(size)}
    return StreamingHttpResponse(iter([b"x"]), headers=headers)


@pytest.mark.parametrize("size", [None, SMALL_BYTES + 1])
def test_a_download_takes_a_slot(slots: TransferSlots, size: int | None) -> None:
    response = answer_through_middleware(stream(size), holder(slots))

    assert (response.status_code, slots.taken) == (200, 1)


@pytest.mark.parametrize(
    ("response", "method"),
    [
        (stream(SMALL_BYTES), "GET"),
        (stream(None), "HEAD"),
        (HttpResponse(b"x" * SMALL_BYTES * 2), "GET"),
    ],
)
def test_what_waits_in_memory_takes_no_slot(
    slots: TransferSlots, response: HttpResponseBase, method: str
) -> None:
    answer_through_middleware(response, holder(slots), method)

    assert slots.taken == 0


@pytest.mark.django_db
def test_a_download_whose_tree_cannot_be_looked_up_is_refused_and_its_file_closed() -> None:
    closed = []
    response = stream(None)
    response._resource_closers.append(lambda: closed.append(True))
    asking = holder(TransferSlots(1, per_client=1))

    def fail() -> str:
        raise OperationalError("server closed the connection unexpectedly")

    name_client({SLOT_HOLDER: asking}, "account", fail)
    refused = answer_through_middleware(response, asking)

    assert (refused.status_code, refused.headers["Content-Type"]) == (503, "application/json")
    assert closed


@pytest.mark.django_db  # Django looks after its connections when a response is closed
def test_a_download_without_a_slot_is_refused_and_its_file_closed() -> None:
    closed = []
    response = stream(None)
    response._resource_closers.append(lambda: closed.append(True))

    refused = answer_through_middleware(response, holder(TransferSlots(0, per_client=1)))

    assert (refused.status_code, refused.headers["Content-Type"]) == (503, "application/json")
    assert refused.headers["Retry-After"]
    assert closed
