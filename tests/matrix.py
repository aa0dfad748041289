"""On what do the tests run? On the embedded default, then on every real server that is found.

`python -m tests.matrix [pytest's options]` is `make test`. The first run is the whole suite; its
acceptance tests start installations on PostgreSQL, RabbitMQ, Redis and S3 themselves. The second
is the same code against a PostgreSQL database: that of DATABASE_URL, or a private server. Both run
at the same time; the output of the second follows that of the first. What is not on this machine
is said loudly; with CI=true it is an error.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from tempfile import TemporaryFile
from typing import IO

from tests import servers
from tests.servers import Missing, PostgreSQL


def find_compiled_scan() -> None:
    """Raise Missing where there was no C compiler (cc) for `make setup`."""
    try:
        import tasks_app.csv_files.compiled_scan  # noqa: F401
    except ImportError as error:
        raise Missing(str(error)) from error


NEEDED = {
    "PostgreSQL": servers.find_postgresql,
    "RabbitMQ": servers.find_rabbitmq,
    "Redis": servers.find_redis,
    "S3": servers.find_object_storage,
    "scan_block.c": find_compiled_scan,
}
# what says nothing new on another database
NOT_ON_POSTGRESQL = ("-m", "not acceptance", "--ignore=tests/integration/test_servers.py")


def main(options: Sequence[str]) -> int:
    """Run the suite on the embedded default and on PostgreSQL; return 0 when all is well."""
    missing = missing_servers()
    for name, why in missing.items():
        print(f"!!! {name} IS NOT TESTED: {why}", flush=True)
    if missing and os.environ.get("CI"):
        return 1
    with ThreadPoolExecutor() as threads, TemporaryFile() as output:
        second = None
        if "PostgreSQL" not in missing:
            second = threads.submit(run_on_postgresql, options, output)
        report = [f"{'SQLite, a folder as broker':30} {run_embedded(options)}"]
        if second is not None:
            report.append(f"{'PostgreSQL':30} {second.result()}")
            output.seek(0)
            print(output.read().decode(errors="replace"), flush=True)
    report += [f"{name:30} NOT TESTED: {why}" for name, why in missing.items()]
    print("\n=== On what the tests ran ===", *report, sep="\n", flush=True)
    return int(any("FAILED" in line for line in report))


def missing_servers() -> dict[str, str]:
    """Return why a server cannot be started here, for each that cannot."""
    missing = {}
    for name, find in NEEDED.items():
        try:
            find()
        except Missing as error:
            if not (name == "PostgreSQL" and "DATABASE_URL" in os.environ):
                missing[name] = str(error)
    return missing


def run_embedded(options: Sequence[str]) -> str:
    """Run the whole suite with nothing set; return how it went."""
    outside = ("DATABASE_URL", "CELERY_BROKER_URL", "CACHE_URL", "PISTON_")
    bare = {name: value for name, value in os.environ.items() if not name.startswith(outside)}
    return run("the embedded default", bare, options)


def run_on_postgresql(options: Sequence[str], output: IO[bytes]) -> str:
    """Run the suite against a PostgreSQL database, its output in a file; return how it went."""
    with ExitStack() as stack:
        url = os.environ.get("DATABASE_URL") or stack.enter_context(PostgreSQL()).url
        environment = {**os.environ, "DATABASE_URL": url}
        return run("PostgreSQL", environment, [*NOT_ON_POSTGRESQL, *options], output)


def run(
    where: str,
    environment: dict[str, str],
    options: Sequence[str],
    output: IO[bytes] | None = None,
) -> str:
    """Run pytest in this environment; return `passed` or `FAILED`."""
    print(f"\n=== On {where} ===", flush=True)
    command = [sys.executable, "-m", "pytest", *options]
    code = subprocess.run(
        command, env=environment, check=False, stdout=output, stderr=output
    ).returncode
    return "passed" if code == 0 else f"FAILED (exit code {code})"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
