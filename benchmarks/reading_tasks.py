"""How long do the list and one task take among a million tasks, against among a thousand?

Two installations on one PostgreSQL server take turns: ten thousand accounts each, tasks by the
same rule. What is asked for fills as many places of a page in both. Then four tasks run at full
speed in the larger one; then the server tells the plans of what it was asked.
"""

from __future__ import annotations

import base64
import http.client
import json
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import requests

from benchmarks.fleet import Fleet
from benchmarks.many_tasks import ACCOUNTS, fill
from benchmarks.measuring import Comparison, Scale, main, ratios, take_turns
from benchmarks.plans import assert_no_table_is_read, big_tables, plans_of, sequential_scans
from piston.gregorian import UNIX_EPOCH_SECONDS
from tests.acceptance.chaos.scene import Servers

FEW, MANY = 1_000, 1_000_000
RUNNING_TASKS, RUNNING_ROWS = 4, 2_000_000
REQUESTS = 20  # per question and round
FILTERS = {  # the asked account has tasks of all of these, also where there are few
    "status": "filter_status=failure",
    "two statuses": 'filter_status=["failure","pending"]',
    "not status": "filter_not_status=success",
    "category": "filter_category=rates",
    "two categories": 'filter_category=["rates","services"]',
    "not category": "filter_not_category=number_management",
    "action": "filter_action=add",
    "category and action": "filter_category=services&filter_action=blipblop",
    "category and status": "filter_category=rates&filter_status=partial",
    "nothing found": "filter_category=none",
    "no action found": "filter_action=none",
    "no status found": "filter_status=executing",
    "no category and status": "filter_status=partial&filter_category=none",
    "two, none found": 'filter_status=["executing"]&filter_category=["none","no"]',
}
PASSWORD = "known-to-everybody"


class Reader:
    """An account that reads its tasks and those of an account below it, on one connection."""

    def __init__(self, servers: Servers, broker_url: str, folder: Path, tasks: int) -> None:
        self.tasks = tasks
        self.fleet = Fleet(servers, broker_url, folder, processes=2)
        made = json.loads(self.fleet.installation.manage("create_account", "Asked"))
        self.account, self.api_key = made["account_id"], made["api_key"]
        fill(self.fleet.database.info.dsn, self.account, tasks)

    def __enter__(self) -> Self:
        self.fleet.__enter__()
        installation = self.fleet.installation
        body = {"data": {"api_key": self.api_key}}
        answer = requests.put(f"{installation.url}/v2/api_auth", json=body, timeout=30)
        self.headers = {"X-Auth-Token": answer.json()["auth_token"]}
        self.connection = http.client.HTTPConnection("127.0.0.1", installation.port, timeout=60)
        self.groups = self.choose_questions()
        return self

    def __exit__(self, *exception: object) -> None:
        self.connection.close()
        self.fleet.__exit__(*exception)

    def choose_questions(self) -> dict[str, list[str]]:
        """Return the paths of what is asked, in groups that are compared."""
        select = (
            "SELECT id, account_id, (extract(epoch FROM created_at) * 1000000)::bigint"
            " FROM tasks_app_task WHERE account_id"
        )
        own = f"{select} = %s ORDER BY created_at, id OFFSET 60 LIMIT 1"
        task_id, _, moment = self.fleet.look_for(own, self.account)
        below = self.fleet.look_for(f"{select} <> %s AND id ~ '^.a' LIMIT 1", self.account)
        key = base64.urlsafe_b64encode(f"{moment}-{task_id}".encode()).decode().rstrip("=")
        second = moment // 1_000_000 + UNIX_EPOCH_SECONDS
        home = f"/v2/accounts/{self.account}/tasks"
        filters = [*FILTERS.values(), f"created_from={second - 3600}&created_to={second + 60}"]
        return {
            "list": [home, f"{home}?start_key={key}"],
            "filtered list": [f"{home}?page_size=5&{each}" for each in filters],
            "detail": [f"{home}/{task_id}", f"/v2/accounts/{below[1]}/tasks/{below[0]}"],
        }

    def ask(self, path: str) -> float:
        """Ask one question and return the seconds until the whole answer was there."""
        path = path.replace('"', "%22")
        started = time.perf_counter()
        self.connection.request("GET", path, headers=self.headers)
        answer = self.connection.getresponse()
        content = answer.read()
        seconds = time.perf_counter() - started
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {content.decode()}")
        return seconds

    def ask_all(self, group: str) -> float:
        """Ask all questions of a group; return the sum of their usual seconds."""
        return sum(
            statistics.median(self.ask(path) for _ in range(REQUESTS))
            for path in self.groups[group]
        )

    def ask_while_busy(self, *, rows: int, times: int) -> list[float]:
        """Ask everything while four tasks run all the time; return the seconds of each request."""
        fleet = self.fleet
        running = [fleet.upload(rows) for _ in range(RUNNING_TASKS)]
        for task in running:
            fleet.start(task)
        for task in running:
            fleet.wait_for_row(task)
        seconds = [
            self.ask(path) for _ in range(times) for paths in self.groups.values() for path in paths
        ]
        for task in running:
            if fleet.client.get(task)["status"] != "executing":
                raise RuntimeError("a task has ended too soon: nothing was measured")
            fleet.client.call("PATCH", f"{task}/stop")
        for task in running:
            fleet.wait_for_end(task)
            fleet.client.call("DELETE", task)
        return seconds

    def sign_in_as_staff(self) -> requests.Session:
        """Return a session of a superuser."""
        installation = self.fleet.installation
        installation.environment["DJANGO_SUPERUSER_PASSWORD"] = PASSWORD
        user = ("--username=bench", "--email=bench@example.org")
        installation.manage("createsuperuser", "--noinput", *user)
        session = requests.Session()
        page = f"{installation.url}/admin/login/"
        session.get(page, timeout=30)
        form: dict[str, Any] = {"username": "bench", "password": PASSWORD, "next": "/admin/"}
        form["csrfmiddlewaretoken"] = session.cookies["csrftoken"]
        session.post(page, data=form, headers={"Referer": page}, timeout=30)
        return session


ADMIN_PAGES = {
    "first page": "",
    "last page that is offered": "?p=200",
    "one status": "?status=failure",
    "one category": "?category=rates",
    "a category without tasks": "?category=none",
    "one account": "?account=Account+7",
    "all below an account": "?account=Asked&below=on",
    "part of an id": "?q=abc123",
    "a name that no file has": "?q=no+such+file",
}


def measure(scale: Scale) -> Iterator[Comparison]:
    """Ask both in turn, then the larger one while it works; then look at the plans."""
    with Servers() as servers, TemporaryDirectory(prefix="piston-bench-") as name:
        folder, redis = Path(name), servers.redis.url
        few = Reader(servers, redis, folder / "few", FEW)
        many = Reader(servers, redis.replace("/0", "/1"), folder / "many", scale.rows(MANY))
        with few, many:
            for group in many.groups:
                yield compare(few, many, group, scale)
            yield compare_while_busy(many, scale)
            yield compare_admin(many, scale)
            many.fleet.installation.kill("beat")
            many.fleet.installation.kill("worker")
            assert_plans_use_indexes(servers, many)


def compare(few: Reader, many: Reader, group: str, scale: Scale) -> Comparison:
    """Hold one kind of question in the larger installation against the smaller one."""
    ways = {"few": lambda: few.ask_all(group), "many": lambda: many.ask_all(group)}
    seconds = take_turns(scale.rounds, ways)
    count = len(many.groups[group])
    return Comparison(
        name=f"reading: {group}",
        what=f"GET {group}, {many.tasks:,} tasks of {ACCOUNTS:,} accounts",
        against=f"the same with {few.tasks:,} tasks",
        ratios=ratios(seconds["many"], seconds["few"]),
        at_most=1.3,
        figures={
            f"{reader.tasks:,} tasks": f"{statistics.median(seconds[name]) / count * 1000:.1f} ms"
            for name, reader in (("few", few), ("many", many))
        },
        peaks=many.fleet.peaks(),
    )


def compare_while_busy(many: Reader, scale: Scale) -> Comparison:
    """Look for the slowest of a hundred requests while four tasks run, without scans of tables."""
    before = sequential_scans(many.fleet.database)
    rows, times = (500_000, 2) if scale.is_quick else (RUNNING_ROWS, REQUESTS)
    rounds = [many.ask_while_busy(rows=rows, times=times) for _ in range(scale.rounds)]
    assert_no_table_is_read(before, sequential_scans(many.fleet.database))
    every = [seconds for each in rounds for seconds in each]
    return Comparison(
        name="reading: p99 while tasks run",
        what=f"GET list and detail, {many.tasks:,} tasks, while {RUNNING_TASKS} run: p99 in ms",
        against="a millisecond",
        ratios=[statistics.quantiles(each, n=100)[98] * 1000 for each in rounds],
        at_most=50,
        figures={
            "median": f"{statistics.median(every) * 1000:.1f} ms",
            "requests": f"{len(every):,}",
            "slowest": f"{max(every) * 1000:.0f} ms",
        },
        peaks=many.fleet.peaks(),
    )


def compare_admin(many: Reader, scale: Scale) -> Comparison:
    """Look for the slowest of the admin's pages of tasks."""
    session = many.sign_in_as_staff()
    home = f"{many.fleet.installation.url}/admin/tasks_app/task/"
    seconds: dict[str, list[float]] = {name: [] for name in ADMIN_PAGES}
    for _ in range(scale.rounds):
        for name, query in ADMIN_PAGES.items():
            started = time.perf_counter()
            answer = session.get(home + query, timeout=60)
            seconds[name].append(time.perf_counter() - started)
            if answer.status_code != 200 or "/admin/login/" in answer.url:
                raise RuntimeError(f"{answer.url}: {answer.status_code}")
    usual = {name: statistics.median(each) for name, each in seconds.items()}
    return Comparison(
        name="reading: the admin's list",
        what=f"the slowest page of the admin's list of {many.tasks:,} tasks, in seconds",
        against="a second",
        ratios=[max(each) for each in zip(*seconds.values(), strict=True)],
        at_most=1,
        figures={name: f"{each * 1000:.0f} ms" for name, each in usual.items()},
        peaks=many.fleet.peaks(),
    )


def assert_plans_use_indexes(servers: Servers, many: Reader) -> None:
    """Ask everything once more and raise AssertionError when a plan reads a whole table."""
    log = servers.postgresql.folder / "log"
    big = big_tables(many.fleet.database)
    with plans_of(many.fleet.database, log) as plans:
        for paths in many.groups.values():
            for path in paths:
                many.ask(path)
    found = [plan for plan in plans if "Seq Scan" in plan]
    if found or not plans:
        raise AssertionError(f"{len(plans)} plans of {big}, with whole tables:\n" + "".join(found))


if __name__ == "__main__":
    main(measure)
