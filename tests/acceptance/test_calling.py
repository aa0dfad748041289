"""Are calls to the outside never repeated unnoticed, when workers are killed in groups of them?"""

from __future__ import annotations

import csv
import io
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.provider import Provider
from tests.acceptance.installation import Client, Installation
from tests.acceptance.outside import PROVIDER
from tests.servers import PostgreSQL, family, started, wait_until

pytestmark = pytest.mark.acceptance

ROWS = 240
KILLS = 2
IN_FLIGHT = 2 * 8  # rows of two worker processes


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider(per_second=10_000, seconds=0.1) as running:
        yield running


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def installation(
    request: pytest.FixtureRequest, provider: Provider, tmp_path: Path
) -> Iterator[Installation]:
    variables = {
        "PISTON_CATEGORIES": "tests.acceptance.outside.Outside",
        "PISTON_CLAIM_SECONDS": "5",
        "PISTON_SWEEP_SECONDS": "1",
        "SECRET_KEY": "s" * 50,
        "ALLOWED_HOSTS": "127.0.0.1",
        PROVIDER: provider.url,
    }
    if request.param == "SQLite":
        with Installation(tmp_path, **variables) as running:
            yield running
        return
    with (
        started(PostgreSQL) as database,
        Installation(tmp_path, DATABASE_URL=database.url, **variables) as running,
    ):
        yield running


def upload(client: Client, words: list[str], action: str) -> str:
    content = "word\n" + "".join(f"{word}\n" for word in words)
    return client.upload(content.encode(), category="outside", action=action)


def read(client: Client, task_id: str, name: str = "out.csv") -> list[list[str]]:
    return list(csv.reader(io.StringIO(client.download(task_id, name).decode())))[1:]


@pytest.mark.parametrize("action", ["once", "again"])
def test_no_row_is_lost_or_called_twice_when_workers_are_killed(
    installation: Installation, provider: Provider, action: str
) -> None:
    client = Client(installation)
    words = [f"w{number}" for number in range(ROWS)]
    task_id = upload(client, words, action)
    client.call("PATCH", task_id)
    for kill in range(1, KILLS + 1):
        wait_until(lambda: len(provider.keys) >= kill * 30, seconds=120)  # noqa: B023
        installation.kill("worker")
        installation.start("worker")
    # the claims of the dead expire first, and then their rows are sent one by one
    wait_until(lambda: client.get(task_id)["status"] != "executing", seconds=300)

    task = client.get(task_id)
    lines = read(client, task_id)
    calls = Counter(provider.keys)
    assert [line[0] for line in lines] == words
    assert task["success_count"] + task["failure_count"] == ROWS
    unknown = [line for line in lines if line[2].startswith("indeterminate")]
    assert len(unknown) == task["failure_count"]
    assert {line[1] for line in lines if not line[2]} <= set(calls)
    if action == "once":
        assert max(calls.values()) == 1
        assert len(unknown) <= KILLS * IN_FLIGHT
    else:
        assert not unknown
        assert len(calls) == ROWS
        assert sum(calls.values()) - ROWS <= KILLS * IN_FLIGHT


def test_a_task_pauses_while_its_provider_is_away_and_says_so(
    installation: Installation, provider: Provider
) -> None:
    client = Client(installation)
    provider.is_down = True
    task_id = upload(client, [f"w{number}" for number in range(100)], "once")
    client.call("PATCH", task_id)

    paused = client.wait_for(task_id, lambda task: "reason" in task)
    refused = provider.refused_count
    time.sleep(3)
    tried = provider.refused_count - refused
    provider.is_down = False
    going_on = client.wait_for(task_id, lambda task: "reason" not in task)
    ended = client.wait_for_end(task_id)

    assert paused["status"] == "executing"
    assert "calls to the outside service fail" in paused["reason"]
    assert 1 <= tried <= 4
    assert going_on["status"] in {"executing", "success"}
    assert (ended["status"], ended["success_count"]) == ("success", 100)
    assert len(provider.keys) == len(set(provider.keys)) == 100


def test_a_row_that_never_ends_costs_its_process_and_nothing_else(
    installation: Installation, provider: Provider
) -> None:
    client = Client(installation)
    worker = installation.processes["worker"].pid
    before = set(family(worker))
    task_id = upload(client, ["a", "hang", "b", "no", *"cdefghij"], "once")
    client.call("PATCH", task_id)

    task = client.wait_for_end(task_id)

    errors = [line[2] for line in read(client, task_id)]
    assert (task["success_count"], task["failure_count"]) == (10, 2)
    assert errors[1] == "indeterminate: timed out after 2 s; it was not repeated"
    assert errors[3] == "the provider says no"
    assert len(provider.keys) == len(set(provider.keys)) == 10
    wait_until(lambda: len(before & set(family(worker))) == len(before) - 1, seconds=30)
    wait_until(lambda: len(family(worker)) == len(before), seconds=30)


def test_a_stop_keeps_what_was_sent(installation: Installation, provider: Provider) -> None:
    client = Client(installation)
    words = [f"w{number}" for number in range(ROWS * 20)]  # more than a stop is late
    task_id = upload(client, words, "once")
    client.call("PATCH", task_id)
    wait_until(lambda: len(provider.keys) >= 40, seconds=60)

    client.call("PATCH", f"{task_id}/stop")

    task = client.wait_for(  # the answers of the last group are recorded after the stop
        task_id,
        lambda task: (
            "unprocessed.csv" in task["csvs"] and task["success_count"] == len(provider.keys)
        ),
    )
    done, left = read(client, task_id), read(client, task_id, "unprocessed.csv")
    assert {line[1] for line in done} == set(provider.keys)
    assert sorted(line[0] for line in done + left) == sorted(words)
    assert task["success_count"] == len(done) == len(provider.keys)
