"""On what do the tests run? Everywhere: on the embedded default and on every real server found.

`python -m tests.matrix [--only-crashes] [pytest's options]` is `make test`. What is not on this
machine is said loudly at the end; with CI=true it is an error. Servers named by DATABASE_URL and
CELERY_BROKER_URL are used instead of private ones.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from tests.servers import Missing, ObjectStorage, PostgreSQL, RabbitMQ, Redis

NO_TESTS = 5  # pytest's exit code when none was selected
WITHOUT_PROCESSES = ("-m", "not acceptance", "--ignore=tests/integration/test_servers.py")
WITH_PROCESSES = ("tests/acceptance", "-m", "acceptance")


@dataclass(frozen=True)
class Place:
    """A kind of installation, and the tests that say something new when they run there."""

    name: str
    tests: Sequence[str]
    database: type[PostgreSQL] | None = None
    broker: type[RabbitMQ | Redis] | None = None
    files: type[ObjectStorage] | None = None


PLACES = [
    Place("SQLite and a folder as broker", tests=()),
    Place("PostgreSQL", WITHOUT_PROCESSES, PostgreSQL),
    Place("PostgreSQL, RabbitMQ and S3", WITH_PROCESSES, PostgreSQL, RabbitMQ, ObjectStorage),
    Place("PostgreSQL and Redis", WITH_PROCESSES, PostgreSQL, Redis),
]


def main(arguments: Sequence[str]) -> int:
    """Run the tests in each place; return 0 when all passed and, in CI, no place was missing."""
    only_crashes = "--only-crashes" in arguments
    options = [argument for argument in arguments if argument != "--only-crashes"]
    report = []
    is_good = True
    for place in PLACES:
        if only_crashes and place.tests is WITHOUT_PROCESSES:
            continue
        print(f"\n=== {place.name} ===", flush=True)
        began = time.monotonic()
        try:
            code = run(place, [*(WITH_PROCESSES if only_crashes else place.tests), *options])
            outcome = "passed" if code in {0, NO_TESTS} else "FAILED"
            is_good &= code in {0, NO_TESTS}
        except Missing as missing:
            outcome = f"NOT RUN: {missing}"
            is_good &= not os.environ.get("CI")
        report.append(f"{place.name:30} {outcome} ({time.monotonic() - began:.0f} s)")
    print("\n=== Where the tests ran ===", *report, sep="\n", flush=True)
    return 0 if is_good else 1


def run(place: Place, options: Sequence[str]) -> int:
    """Start the servers of `place`, run pytest on them, and return its exit code."""
    environment = dict(os.environ)
    with ExitStack() as servers:
        if place.database is None:
            environment.pop("DATABASE_URL", None)
        elif "DATABASE_URL" not in environment:
            environment["DATABASE_URL"] = servers.enter_context(place.database()).url
        if place.broker is None:
            environment.pop("CELERY_BROKER_URL", None)
        elif "CELERY_BROKER_URL" not in environment:
            environment["CELERY_BROKER_URL"] = servers.enter_context(place.broker()).url
        if place.files:
            environment |= servers.enter_context(place.files()).settings
        return subprocess.run(
            [sys.executable, "-m", "pytest", *options], env=environment, check=False
        ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
