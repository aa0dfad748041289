"""What do people see while the database or the broker is away, and does work go on by itself?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.acceptance.installation import PATIENCE_SECONDS, Client, Installation
from tests.servers import PostgreSQL, Redis, Server, started, wait_until

pytestmark = pytest.mark.acceptance
ROWS = 20_000


@pytest.fixture(scope="module")
def database() -> Iterator[PostgreSQL]:
    with started(PostgreSQL) as server:
        yield server


@pytest.fixture(scope="module")
def broker() -> Iterator[Redis]:
    with started(Redis) as server:
        yield server


@pytest.fixture(scope="module")
def installation(
    database: PostgreSQL, broker: Redis, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    folder: Path = tmp_path_factory.mktemp("outages")
    variables = {"SECRET_KEY": "s" * 50, "ALLOWED_HOSTS": "127.0.0.1"}
    with Installation(
        folder, DATABASE_URL=database.url, CELERY_BROKER_URL=broker.url, **variables
    ) as processes:
        yield processes


@pytest.fixture
def client(installation: Installation) -> Client:
    return Client(installation)


def upload(client: Client, first: int) -> str:
    rows = (f"+1628{first + index:07d},{client.account_id}\n" for index in range(ROWS))
    content = "number,account_id\n" + "".join(rows)
    return client.upload(content.encode(), category="number_management", action="add")


def assert_all_done(client: Client, task_id: str) -> None:
    ended = client.wait_for_end(task_id)
    lines = client.download(task_id, "out.csv").splitlines()
    assert (ended["status"], ended["success_count"]) == ("success", ROWS)
    assert len(lines) == 1 + ROWS == 1 + len(set(lines[1:]))


@pytest.mark.parametrize("harm", ["freeze", "kill9"])
def test_a_start_stands_while_the_broker_is_away(harm: str, broker: Redis, client: Client) -> None:
    task_id = upload(client, 1_000_000 if harm == "freeze" else 2_000_000)

    getattr(broker, harm)()
    started_task = client.call("PATCH", task_id)
    broker.thaw() if harm == "freeze" else broker.start()

    assert started_task["status"] == "executing"
    assert_all_done(client, task_id)


def test_while_the_database_is_away_people_are_told_and_afterwards_work_goes_on(
    database: PostgreSQL, client: Client
) -> None:
    task_id = upload(client, 3_000_000)
    client.call("PATCH", task_id)
    client.wait_for(task_id, lambda task: task["success_count"] > 0)

    database.kill9()
    answers = [
        requests.request(method, url, headers=dict(client.session.headers), timeout=60)
        for method, url in (
            ("GET", client.tasks),
            ("PATCH", f"{client.tasks}/{task_id}/stop"),
            ("PUT", f"{client.url}/api_auth"),
            ("GET", f"{client.url.removesuffix('/v2')}/healthz"),
        )
    ]
    await_restart(database)

    for answer in answers[:2]:
        assert (answer.status_code, answer.json()["error"]) == (503, "503")
        assert answer.json()["message"] == "service_unavailable"
        assert int(answer.headers["Retry-After"]) > 0
    assert answers[3].status_code == 503
    assert_all_done(client, task_id)


def await_restart(server: Server) -> None:
    """Start a server that was killed; its lock file may make it refuse for a moment."""

    def starts() -> bool:
        try:
            server.start()
        except Exception:  # noqa: BLE001 - tried again until it is given up
            return False
        return True

    wait_until(starts, seconds=PATIENCE_SECONDS)
