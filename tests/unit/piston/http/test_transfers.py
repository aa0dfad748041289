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
    SMALL_BYTES,
    TICKET,
    NoPlace,
    Places,
    ServerStopping,
    Ticket,
    TooSlow,
    name_client,
    take_place_for_body,
)


@pytest.fixture
def places() -> Places:
    return Places(3, per_client=2)


def ticket(places: Places, client: str = "a", *, body_is_here: bool = False) -> Ticket:
    return Ticket(places, client, body_is_here=body_is_here)


def upload(ticket: Ticket | None, size: int = 5) -> HttpRequest:
    request = RequestFactory().put("/v2/tasks", b"x" * size)
    if ticket:
        request.META[TICKET] = ticket
    return request


class Failing:
    def __init__(self, error: Exception) -> None:
        self.error = error

    def read(self, size: int, /) -> bytes:
        raise self.error


# ---- Places and tickets --------------------------------------------------------------------------


def take_all(places: Places, client: str, tree: str = "") -> int:
    """Take places until one is refused; return how many there were."""
    for count in range(100):
        try:
            places.take(client, tree or client)
        except NoPlace:
            return count
    raise AssertionError("never refused")


def test_places_run_out(places: Places) -> None:
    for client in "aab":
        places.take(client, client)

    with pytest.raises(NoPlace) as refused:
        places.take("c", "c")

    assert not refused.value.is_own_fault
    assert places.taken == 3


def test_one_client_gets_only_a_share(places: Places) -> None:
    places.take("a", "a")
    places.take("a", "a")

    with pytest.raises(NoPlace) as refused:
        places.take("a", "a")

    assert refused.value.is_own_fault
    places.take("b", "b")


def test_a_place_that_was_given_back_is_free(places: Places) -> None:
    for _ in range(10):
        places.take("a", "a")
        places.give_back("a", "a")

    assert places.taken == 0


def test_the_last_quarter_is_for_clients_that_hold_none() -> None:
    places = Places(24, per_client=12)

    counts = [take_all(places, f"client {number}") for number in range(9)]

    assert counts == [12, 6, 1, 1, 1, 1, 1, 1, 0]


@pytest.mark.parametrize("children", [1, 2, 24])
def test_one_tree_never_holds_all_places(children: int) -> None:
    places = Places(24, per_client=12)

    for number in range(children + 1):
        take_all(places, f"child {number}", "tree")

    for tree in ("other", "another", "third"):
        assert take_all(places, tree) >= 1


@pytest.mark.parametrize("count", range(2, 33))
@pytest.mark.parametrize("children", [1, 2, 32])
def test_a_stranger_finds_a_place_however_many_there_are(count: int, children: int) -> None:
    places = Places(count, per_client=max(1, count // 2))

    for number in range(children):
        take_all(places, f"child {number}", "tree")

    assert take_all(places, "stranger") >= 1


def test_a_single_place_is_for_whoever_comes_first() -> None:
    places = Places(1, per_client=1)

    assert [take_all(places, client) for client in ("a", "b")] == [1, 0]


def test_a_client_that_holds_none_finds_a_place_in_a_tree_that_holds_many() -> None:
    places = Places(24, per_client=12)
    for client in ("parent", "child"):
        take_all(places, client, "tree")

    assert take_all(places, "another child", "tree") == 1


def test_a_request_takes_one_place_however_often_it_asks(places: Places) -> None:
    asking = ticket(places)

    asking.take()
    asking.take()

    assert (asking.is_held, places.taken) == (True, 1)


def test_a_ticket_gives_back_what_it_took_whatever_its_client_is_called_now(places: Places) -> None:
    asking = ticket(places, "address")
    asking.take()

    name_client({TICKET: asking}, "account")
    asking.release()
    asking.release()

    assert (asking.is_held, places.taken) == (False, 0)


def test_the_tree_of_an_account_is_looked_up_once_and_only_for_a_transfer(places: Places) -> None:
    asking = ticket(places)
    lookups = []

    def find_tree() -> str:
        lookups.append("tree")
        return "tree"

    name_client({TICKET: asking}, "child", find_tree)
    assert (asking.is_known, lookups) == (True, [])
    for _ in range(2):
        take_place_for_body({TICKET: asking})

    assert (asking.client, asking.tree, lookups) == ("child", "tree", ["tree"])


def test_an_address_is_no_known_client(places: Places) -> None:
    asking = ticket(places)

    name_client({TICKET: asking}, "192.0.2.1")

    assert (asking.is_known, asking.tree) == (False, "192.0.2.1")


def test_without_a_server_that_gives_tickets_there_is_no_limit() -> None:
    name_client({}, "account")

    assert open_body(upload(None), limit_bytes=10).read() == b"xxxxx"


# ---- Bodies --------------------------------------------------------------------------------------


def test_who_will_be_waited_for_needs_a_place_before_a_byte_is_read(places: Places) -> None:
    open_body(upload(ticket(places)), limit_bytes=10)
    open_body(upload(ticket(places)), limit_bytes=10)

    with pytest.raises(NoPlace):
        open_body(upload(ticket(places)), limit_bytes=10)


def test_a_body_that_is_here_needs_no_place(places: Places) -> None:
    open_body(upload(ticket(places, body_is_here=True)), limit_bytes=10)

    assert places.taken == 0


def test_a_body_that_is_too_large_takes_no_place(places: Places) -> None:
    with pytest.raises(RequestTooLarge):
        open_body(upload(ticket(places)), limit_bytes=4)

    assert places.taken == 0


def test_a_client_that_is_too_slow_is_told_so_each_time() -> None:
    body = Body(Failing(TooSlow(1024)), length=5, limit_bytes=10)

    for _ in range(2):
        with pytest.raises(RequestTimeout, match="request_timeout") as answer:
            body.read()

    assert answer.value.status == 408
    assert "1024" in answer.value.data["reason"]


@pytest.mark.parametrize("error", [ServerStopping(), NoPlace(is_own_fault=False)])
def test_what_is_no_fault_of_the_client_asks_it_to_come_back(error: Exception) -> None:
    with pytest.raises(type(error)) as raised:
        Body(Failing(error), length=5, limit_bytes=10).read()

    answer = find_answer(raised.value)
    assert (answer.status, answer.message) == (503, "service_unavailable")
    assert 1 <= int(answer.headers["Retry-After"]) <= 5


def test_a_client_that_has_too_many_transfers_is_told_so() -> None:
    answer = find_answer(NoPlace(is_own_fault=True))

    assert (answer.status, answer.message) == (429, "too_many_requests")
    assert "same time" in answer.data["reason"]
    assert int(answer.headers["Retry-After"]) >= 1


# ---- Streams -------------------------------------------------------------------------------------


def answer_through_middleware(
    response: HttpResponseBase, ticket: Ticket, method: str = "GET"
) -> Any:
    request = RequestFactory().generic(method, "/v2/tasks/x", **{TICKET: ticket})
    return StreamMiddleware(lambda _: response)(request)


def stream(size: int | None) -> StreamingHttpResponse:
    headers = {} if size is None else {"Content-Length": str(size)}
    return StreamingHttpResponse(iter([b"x"]), headers=headers)


@pytest.mark.parametrize("size", [None, SMALL_BYTES + 1])
def test_a_download_takes_a_place(places: Places, size: int | None) -> None:
    response = answer_through_middleware(stream(size), ticket(places))

    assert (response.status_code, places.taken) == (200, 1)


@pytest.mark.parametrize(
    ("response", "method"),
    [
        (stream(SMALL_BYTES), "GET"),
        (stream(None), "HEAD"),
        (HttpResponse(b"x" * SMALL_BYTES * 2), "GET"),
    ],
)
def test_what_waits_in_memory_takes_no_place(
    places: Places, response: HttpResponseBase, method: str
) -> None:
    answer_through_middleware(response, ticket(places), method)

    assert places.taken == 0


@pytest.mark.django_db
def test_a_download_whose_tree_cannot_be_looked_up_is_refused_and_its_file_closed() -> None:
    closed = []
    response = stream(None)
    response._resource_closers.append(lambda: closed.append(True))
    asking = ticket(Places(1, per_client=1))

    def fail() -> str:
        raise OperationalError("server closed the connection unexpectedly")

    name_client({TICKET: asking}, "account", fail)
    refused = answer_through_middleware(response, asking)

    assert (refused.status_code, refused.headers["Content-Type"]) == (503, "application/json")
    assert closed


@pytest.mark.django_db  # Django looks after its connections when a response is closed
def test_a_download_without_a_place_is_refused_and_its_file_closed() -> None:
    closed = []
    response = stream(None)
    response._resource_closers.append(lambda: closed.append(True))

    refused = answer_through_middleware(response, ticket(Places(0, per_client=1)))

    assert (refused.status_code, refused.headers["Content-Type"]) == (503, "application/json")
    assert refused.headers["Retry-After"]
    assert closed
