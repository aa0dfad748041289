"""Does everything hold together? One day of an installation, with real processes and a kill -9."""

from __future__ import annotations

import csv
import io
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from tests.acceptance.installation import PATIENCE_SECONDS, Client, Installation
from tests.servers import ObjectStorage, PostgreSQL, RabbitMQ, Redis, started, wait_until

pytestmark = pytest.mark.acceptance
ROWS = 50_000


@pytest.fixture(
    scope="module",
    params=["embedded", "PostgreSQL+RabbitMQ", "PostgreSQL+Redis+S3"],
)
def installation(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """Start an installation on the embedded default, or on real servers."""
    variables = {}
    with ExitStack() as servers:
        if "PostgreSQL" in request.param:
            variables["DATABASE_URL"] = servers.enter_context(started(PostgreSQL)).url
            variables["SECRET_KEY"] = "s" * 50
            variables["ALLOWED_HOSTS"] = "127.0.0.1"
        if "RabbitMQ" in request.param:
            variables["CELERY_BROKER_URL"] = servers.enter_context(started(RabbitMQ)).url
        if "Redis" in request.param:
            variables["CELERY_BROKER_URL"] = servers.enter_context(started(Redis)).url
        if "S3" in request.param:
            variables |= servers.enter_context(started(ObjectStorage)).settings
        folder: Path = tmp_path_factory.mktemp("installation")
        yield servers.enter_context(Installation(folder, **variables))


@pytest.fixture
def client(installation: Installation) -> Client:
    return Client(installation)


def numbers_csv(client: Client, first: int, count: int = ROWS) -> bytes:
    """Return rows for number_management/add; every thousandth number is none."""
    lines = ["number,account_id"]
    for index in range(count):
        number = "12" if index % 1000 == 999 else f"+1415{first + index:07d}"
        lines.append(f"{number},{client.account_id}")
    return ("\n".join(lines) + "\n").encode()


def rows_of(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(), newline="")))


def reconcile(client: Client, task: dict[str, object], sent: bytes) -> None:
    """Check that every input row is in exactly one place, in order, and did what its line says."""
    task_id = str(task["id"])
    rows = rows_of(sent)
    output = rows_of(client.download(task_id, "out.csv"))
    names = task["csvs"]
    assert isinstance(names, list)
    left = (
        rows_of(client.download(task_id, "unprocessed.csv")) if "unprocessed.csv" in names else []
    )
    failed = rows_of(client.download(task_id, "failed.csv")) if "failed.csv" in names else []

    assert [row[:2] for row in output[1:]] + left[1:] == rows[1:]
    assert failed[1:] == [row[:2] for row in output[1:] if row[-1]]
    assert task["failure_count"] == len(failed[1:])
    assert task["success_count"] == len(output[1:]) - len(failed[1:])
    assert client.download(task_id, "in.csv") == sent


def numbers_in(client: Client) -> list[str]:
    """Return the account's numbers as the API lists them."""
    answer = client.session.put(
        client.tasks, params={"category": "number_management", "action": "list"}, timeout=60
    )
    task_id = answer.json()["data"]["_read_only"]["id"]
    client.call("PATCH", task_id)
    assert client.wait_for_end(task_id)["status"] == "success"
    return [row[0] for row in rows_of(client.download(task_id, "out.csv"))[1:]]


def test_a_day_with_a_stop_and_a_killed_worker(installation: Installation, client: Client) -> None:
    query = {"category": "number_management", "action": "add", "file_name": "a day.csv"}
    first, second = numbers_csv(client, 1_000_000), numbers_csv(client, 2_000_000)
    stopped_id, killed_id = client.upload(first, **query), client.upload(second, **query)

    client.call("PATCH", stopped_id)
    client.wait_for(stopped_id, lambda task: task["success_count"] > 0)
    stopped = client.call("PATCH", f"{stopped_id}/stop")
    client.call("PATCH", killed_id)
    under_way = client.wait_for(killed_id, lambda task: task["success_count"] > 0)
    installation.kill("worker")
    after_the_kill = client.get(killed_id)
    installation.start("worker")
    ended = client.wait_for_end(killed_id)

    assert 0 < stopped["success_count"] + stopped["failure_count"] < ROWS
    assert under_way["status"] == after_the_kill["status"] == "executing"
    assert after_the_kill["success_count"] < ROWS
    assert (ended["status"], ended["success_count"]) == ("partial", ROWS - ROWS // 1000)
    stopped_now = client.get(stopped_id)
    counts = ("status", "success_count", "failure_count", "end_timestamp")
    assert [stopped_now[key] for key in counts] == [stopped[key] for key in counts]
    reconcile(client, stopped_now, first)
    reconcile(client, ended, second)
    done = [row[0] for content in (stopped_id, killed_id)
            for row in rows_of(client.download(content, "out.csv"))[1:] if not row[-1]]  # fmt: skip
    assert numbers_in(client) == sorted(done)


def test_a_deploy_in_mid_task_loses_nothing(installation: Installation, client: Client) -> None:
    sent = numbers_csv(client, 3_000_000)
    task_id = client.upload(sent, category="number_management", action="add")

    client.call("PATCH", task_id)
    client.wait_for(task_id, lambda task: task["success_count"] > 0)
    installation.processes["worker"].send_signal(signal.SIGTERM)
    installation.processes["worker"].wait(20)
    between = client.get(task_id)
    installation.start("worker")
    ended = client.wait_for_end(task_id)

    assert between["status"] == "executing"
    assert ended["success_count"] == ROWS - ROWS // 1000
    reconcile(client, ended, sent)


def test_an_upload_that_is_cut_off_leaves_no_task_and_no_file(
    installation: Installation, client: Client
) -> None:
    before = client.session.get(client.tasks, timeout=30).json()["data"]

    def half() -> Iterator[bytes]:
        yield numbers_csv(client, 4_000_000, 10_000)
        raise ConnectionAbortedError

    with pytest.raises((ConnectionAbortedError, requests.ConnectionError)):
        client.upload(half(), category="number_management", action="add")

    assert client.session.get(client.tasks, timeout=30).json()["data"] == before
    unowned = (
        "from tasks_app.models import TaskCSV;"
        "print(TaskCSV.objects.filter(task=None, name='in.csv').count())"
    )
    count_unowned = ("shell", "--verbosity", "0", "--command", unowned)
    wait_until(lambda: installation.manage(*count_unowned).strip() == "0", seconds=PATIENCE_SECONDS)
