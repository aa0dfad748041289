"""How close to the limit is everything? `make bench` asks each file of this folder.

`python -m benchmarks [NAME …] [--rounds N] [--quick]` runs those that are named. Results go into
docs/performance.json, their table into docs/performance.md, unless it was quick. What has become
slower by a fifth makes it fail.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.history import History
from benchmarks.measuring import ROUNDS, Comparison

FOLDER = Path(__file__).parent
DOCS = FOLDER.parent / "docs"
QUESTIONS = (  # in the order of the table
    "scanning",
    "uploading",
    "downloading",
    "engine",
    "resuming",
    "numbers",
    "changing_numbers",
    "peers",
    "whole",
    "rates",
    "ratedecks",
    "exporting",
    "quantities",
    "parallel",
    "calling",
    "starting",
    "fairness",
    "stopping",
    "reading_tasks",
    "hostile_json",
    "footprint",
)


def main(arguments: Sequence[str]) -> int:
    """Run the benchmarks, each file in a process of its own; return 0 when all went well."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(QUESTIONS)}")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--quick", action="store_true", help="see that it works; nothing is kept")
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.names) - set(QUESTIONS):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    history, failed = History(DOCS), []
    for question in chosen.names or QUESTIONS:
        print(f"\n=== {question} ===", flush=True)
        code, comparisons = run(question, chosen.rounds, quick=chosen.quick)
        failed += [f"{question} ended with exit code {code}"] if code else []
        for comparison in () if chosen.quick else comparisons:
            failed += filter(None, [history.describe_regression(comparison)])
            history.add(comparison, question=question, day=today(), version=version())
            history.write(QUESTIONS)
    print("", *failed, f"{len(failed)} failed" if failed else "All went well.", sep="\n")
    return int(bool(failed))


def run(question: str, rounds: int, *, quick: bool) -> tuple[int, list[Comparison]]:
    """Run one file; return its exit code and what it has measured."""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results"
        results.touch()
        command = [sys.executable, "-m", f"benchmarks.{question}", "--rounds", str(rounds)]
        code = subprocess.run(
            command + ["--quick"] * quick,
            env={**os.environ, "PISTON_BENCH_RESULTS": str(results)},
            check=False,
        ).returncode
        return code, [Comparison(**json.loads(line)) for line in results.read_text().splitlines()]


def today() -> str:
    """Return the date."""
    return dt.datetime.now(tz=dt.UTC).date().isoformat()


def version() -> str:
    """Return the commit that was measured, `-dirty` with changes of its own; "" outside of git.

    What this run writes into docs/ is no change.
    """
    changes = git("status", "--porcelain", "--", ":/", ":!/docs")
    return git("describe", "--always") + ("-dirty" if changes else "")


def git(*arguments: str) -> str:
    """Return what git says; "" outside of a checkout."""
    command = ["git", "-C", str(FOLDER), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
