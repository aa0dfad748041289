"""Does the API say what the specification says? Every example, replayed over a real socket."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from tests.acceptance.examples import SPECIFICATION, Example, assert_says, read_examples
from tests.acceptance.installation import Client, Installation

pytestmark = pytest.mark.acceptance

EXAMPLES = list(read_examples())
ADD = {"category": "number_management", "action": "add"}
LIST = {"category": "number_management", "action": "list"}
LIST_ALL = {"category": "number_management", "action": "list_all"}
CSV = {"Content-Type": "text/csv"}
MISSING = "0123456789abcdef0123456789abcd"
HEADER = b"number,account_id\n"
NOBODY = "009afc511c97b2ae693c6cc4920988e8"
BAD_ROWS = HEADER + f"+14157215234,{NOBODY}\n+14157215235,{NOBODY}\n".encode()

Answer = tuple[requests.Response, dict[str, Any]]


class World:
    """An installation that works off tasks, and one where started tasks wait for a worker."""

    def __init__(self, busy: Installation, idle: Installation) -> None:
        self.busy_installation = busy
        self.busy = Client(busy, "--superadmin")
        self.idle = Client(idle, "--superadmin")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Two installations; one has no worker."""
    with Installation(tmp_path_factory.mktemp("busy")) as busy:
        idle = Installation(tmp_path_factory.mktemp("idle"))
        idle.commands = {"web": idle.commands["web"]}
        with idle:
            yield World(busy, idle)


def ask(client: Client, method: str, path: str = "", **options: Any) -> requests.Response:
    """Call something about tasks: `path` is "", or begins with a slash."""
    return client.session.request(method, f"{client.tasks}{path}", timeout=60, **options)


def put(client: Client, content: bytes = b"", **query: str) -> requests.Response:
    return ask(client, "PUT", params=query or ADD, data=content, headers=CSV)


def make(client: Client, content: bytes = b"", **query: str) -> str:
    """Create a task; return its id."""
    task_id: str = put(client, content, **query).json()["data"]["_read_only"]["id"]
    return task_id


def made_and_started(client: Client, content: bytes = b"", **query: str) -> str:
    task_id = make(client, content, **query)
    client.call("PATCH", task_id)
    return task_id


def new_number(client: Client) -> bytes:
    """Return a CSV with one row that succeeds."""
    number = f"+1415{time.time_ns() // 1000 % 10**7:07d}"
    return HEADER + f"{number},{client.account_id}\n".encode()


# ---- The calls, in the order of the specification ------------------------------------------------


def unknown_help(world: World) -> Answer:
    client = world.busy
    query = {"category": "services", "action": "blipblop"}
    return client.session.get(f"{client.url}/tasks", params=query, timeout=60), {}


def help_of_descendant_quantities(world: World) -> Answer:
    client = world.busy
    query = {"category": "services", "action": "descendant_quantities"}
    return client.session.get(f"{client.url}/tasks", params=query, timeout=60), {}


def list_of_two(world: World) -> Answer:
    client = Client(world.busy_installation)
    client.wait_for_end(made_and_started(client, new_number(client), **ADD))
    make(client, new_number(client), **ADD, file_name="my_input_for_add.csv")
    return ask(client, "GET"), {}


def created(world: World) -> Answer:
    answer = put(world.busy, BAD_ROWS)
    return answer, {"CATEGORY": "number_management", "ACTION": "add", "RECORDS_COUNT": 2}


def unknown_category(world: World) -> Answer:
    return put(world.busy, BAD_ROWS, category="magic", action="add"), {"CATEGORY": "magic"}


def unknown_action(world: World) -> Answer:
    answer = put(world.busy, BAD_ROWS, category="number_management", action="vanish")
    return answer, {"ACTION": "vanish"}


def bad_csv(world: World) -> Answer:
    return put(world.busy, HEADER + b"+14157215234\n"), {}


def unknown_field(world: World) -> Answer:
    return put(world.busy, b"number,account_id,wef\n+14157215234,%b,1\n" % NOBODY.encode()), {}


def missing_fields(world: World) -> Answer:
    return put(world.busy, b"state\nin_service\n"), {}


def missing_values(world: World) -> Answer:
    rows = f"account_id,number\n,+14157215234\n{NOBODY},\n{NOBODY},+14157215234\n"
    return put(world.busy, rows.encode()), {}


def removed(world: World) -> Answer:
    task_id = made_and_started(world.busy, BAD_ROWS, **ADD)
    world.busy.wait_for_end(task_id)
    return ask(world.busy, "DELETE", f"/{task_id}"), {"TASK_ID": task_id}


def remove_missing(world: World) -> Answer:
    return ask(world.busy, "DELETE", f"/{MISSING}"), {"TASK_ID": MISSING}


def remove_running(world: World) -> Answer:
    task_id = made_and_started(world.idle, BAD_ROWS, **ADD)
    return ask(world.idle, "DELETE", f"/{task_id}"), {"TASK_ID": task_id}


def details(world: World) -> Answer:
    task_id = made_and_started(world.idle, **LIST)
    return ask(world.idle, "GET", f"/{task_id}"), {"TASK_ID": task_id, "success_count": 0}


def details_of_missing(world: World) -> Answer:
    return ask(world.busy, "GET", f"/{MISSING}"), {"TASK_ID": MISSING}


def started(world: World) -> Answer:
    task_id = make(world.idle, BAD_ROWS, **ADD)
    return ask(world.idle, "PATCH", f"/{task_id}"), {"TASK_ID": task_id}


def start_again(world: World) -> Answer:
    task_id = made_and_started(world.idle, BAD_ROWS, **ADD)
    return ask(world.idle, "PATCH", f"/{task_id}"), {"TASK_ID": task_id}


def start_missing(world: World) -> Answer:
    return ask(world.busy, "PATCH", f"/{MISSING}"), {"TASK_ID": MISSING}


def stopped(world: World) -> Answer:
    task_id = made_and_started(world.idle, **LIST_ALL)
    return ask(world.idle, "PATCH", f"/{task_id}/stop"), {"TASK_ID": task_id}


def stop_pending(world: World) -> Answer:
    task_id = make(world.busy, BAD_ROWS, **ADD)
    return ask(world.busy, "PATCH", f"/{task_id}/stop"), {"TASK_ID": task_id}


def input_of_none(world: World) -> Answer:
    task_id = make(world.busy, **LIST)
    return ask(world.busy, "GET", f"/{task_id}/input"), {"TASK_ID": task_id}


def output_too_early(world: World) -> Answer:
    task_id = make(world.busy, BAD_ROWS, **ADD)
    query = {"csv_name": "out.csv"}
    accept = {"Accept": "text/csv"}
    answer = ask(world.busy, "GET", f"/{task_id}", params=query, headers=accept)
    return answer, {"TASK_ID": task_id}


CALLS: list[Callable[[World], Answer]] = [
    unknown_help,
    help_of_descendant_quantities,
    list_of_two,
    created,
    unknown_category,
    unknown_action,
    bad_csv,
    unknown_field,
    missing_fields,
    missing_values,
    removed,
    remove_missing,
    remove_running,
    details,
    details_of_missing,
    started,
    start_again,
    start_missing,
    stopped,
    stop_pending,
    input_of_none,
    output_too_early,
]


# ---- The examples --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("example", "call"),
    list(zip(EXAMPLES, CALLS, strict=True)),
    ids=[example.name for example in EXAMPLES],
)
def test_an_example(world: World, example: Example, call: Callable[[World], Answer]) -> None:
    answer, names = call(world)

    token = str(answer.request.headers["X-Auth-Token"])
    account_id = str(answer.request.path_url).partition("/accounts/")[2].partition("/")[0]
    known = {"AUTH_TOKEN": token, "ACCOUNT_ID": account_id, "AUTH_ACCOUNT_ID": account_id}
    body = answer.json()
    assert_says(body, example.body, known | names)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Request-Id"] == body["request_id"]
    success = 201 if answer.request.method == "PUT" else 200
    assert answer.status_code == int(body.get("error", success))


# ---- What the specification shows without a body -------------------------------------------------


def test_json_is_taken_as_curl_sends_it(world: World) -> None:
    document = {"data": {"records": [{"number": "+14157215234"}], "file_name": "my.csv"}}
    document["data"]["records"][0]["account_id"] = NOBODY  # type: ignore[index]
    as_curl = {"Content-Type": "application/x-www-form-urlencoded"}

    answer = ask(world.busy, "PUT", params=ADD, data=json.dumps(document), headers=as_curl)

    assert answer.status_code == 201
    task = answer.json()["data"]["_read_only"]
    assert (task["file_name"], task["total_count"]) == ("my.csv", 1)


def test_no_input_is_taken_as_curl_sends_it(world: World) -> None:
    answer = ask(world.busy, "PUT", params=LIST)

    assert answer.status_code == 201
    assert "total_count" not in answer.json()["data"]["_read_only"]


@pytest.mark.parametrize("way", ["/input", "?csv_name=in.csv"])
def test_the_input_comes_back_as_it_was_sent(world: World, way: str) -> None:
    task_id = make(world.busy, BAD_ROWS, **ADD)
    accept = {"Accept": "*/*" if way == "/input" else "text/csv"}

    answer = ask(world.busy, "GET", f"/{task_id}{way}", headers=accept)

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/csv")
    assert answer.content == BAD_ROWS


@pytest.mark.parametrize("way", ["/output", "?csv_name=out.csv", ""])
def test_the_output_says_what_happened_to_each_row(world: World, way: str) -> None:
    task_id = made_and_started(world.busy, BAD_ROWS, **ADD)
    world.busy.wait_for_end(task_id)
    accept = {"Accept": "*/*" if way == "/output" else "text/csv"}

    answer = ask(world.busy, "GET", f"/{task_id}{way}", headers=accept)

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/csv")
    lines = answer.content.splitlines()
    assert lines[0].startswith(HEADER.strip() + b",")
    assert lines[0].endswith(b",error")
    assert [line[: len(row)] for line, row in zip(lines, BAD_ROWS.splitlines(), strict=True)] == (
        BAD_ROWS.splitlines()
    )


def test_a_system_task_is_the_same_with_and_without_the_account(world: World) -> None:
    client = world.busy
    query = {"category": "rates", "action": "export"}

    without = client.session.put(f"{client.url}/tasks", params=query, timeout=60)
    task_id = without.json()["data"]["_read_only"]["id"]

    assert without.status_code == 201
    assert client.get(task_id) == without.json()["data"]["_read_only"]


def test_the_examples_are_the_whole_specification() -> None:
    envelopes = re.findall(
        '^    "status": "(?:success|error)"', SPECIFICATION.read_text(), re.MULTILINE
    )

    assert len(envelopes) == len(EXAMPLES) == len({example.name for example in EXAMPLES})


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"data": None, "message": "bad identifier", "total_count": 2},
        {"data": ["x"], "message": "bad_identifier", "total_count": 2},
        {"data": ["y"], "message": "bad identifier", "total_count": 2},
        {"data": ["x", "x"], "message": "bad identifier", "total_count": 2},
        {"data": ["x"], "message": "bad identifier", "total_count": "2"},
        {"data": ["x"], "message": "bad identifier", "total_count": 3},
        {"data": ["x"], "message": "bad identifier"},
    ],
)
def test_an_answer_that_says_something_else_is_noticed(said: dict[str, Any]) -> None:
    example = {"data": ["{TASK_ID}"], "message": "bad identifier", "total_count": 2}
    assert_says({**example, "data": ["x"], "more": 1}, example, {"TASK_ID": "x"})

    with pytest.raises(AssertionError):
        assert_says(said, example, {"TASK_ID": "x"})
