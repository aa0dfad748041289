"""How long does a file of numbers take, from PUT to the downloaded output, against pgloader?

pgloader (Debian's package) loads the same file into an equal table: same columns, indexes and
constraints. It keeps no history, writes no output and cannot be resumed. With rows that the
database refuses, it retries each batch row by row.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from benchmarks.measuring import Comparison, Scale, main, per_second, ratios, take_turns
from tests.acceptance.installation import Client, Installation
from tests.servers import Missing, PostgreSQL

CLEAN_ROWS = 1_000_000
MIXED_ROWS = 200_000  # pgloader takes minutes for them
ONE_REPEATED_IN = 50  # 2 % of the rows of a mixed file
NUMBERS = "number_management_phonenumber"
HISTORY = "number_management_numberchange"
EQUAL = f"""
    CREATE TABLE equal (LIKE {NUMBERS} INCLUDING ALL);
    ALTER TABLE equal ADD FOREIGN KEY (account_id) REFERENCES accounts_account;
"""
LOAD = """
LOAD CSV FROM '{file}' (number, account_id)
    INTO postgresql://{user}@{host}:{port}/{name}?equal (number, account_id)
    WITH skip header = 1, fields optionally enclosed by '"', fields terminated by ','
    SET client_min_messages TO 'error';
"""


def measure(scale: Scale) -> Iterator[Comparison]:
    """Add clean numbers, then numbers of which some are repeated."""
    pgloader = shutil.which("pgloader")
    if pgloader is None:
        raise Missing("pgloader is not installed.")
    with PostgreSQL() as database, tempfile.TemporaryDirectory(prefix="piston-bench-") as name:
        folder = Path(name)
        with Installation(
            folder / "installation",
            DATABASE_URL=database.url,
            SECRET_KEY="only-for-benchmarks" * 2,
        ) as installation:
            race = Race(pgloader, database.url, folder, Client(installation))
            yield race.compare(scale.rows(CLEAN_ROWS), scale.rounds)
            yield race.compare(scale.rows(MIXED_ROWS), min(scale.rounds, 2), mixed=True)


class Race:
    """Both ways to bring a file into a table of one database."""

    def __init__(self, pgloader: str, url: str, folder: Path, client: Client) -> None:
        self.pgloader = pgloader
        self.url = url
        self.folder = folder
        self.client = client
        with psycopg.connect(url) as connection:
            connection.execute(EQUAL)
            for column, value in fixed_values(connection):
                connection.execute(f"ALTER TABLE equal ALTER {column} SET DEFAULT {value}")

    def compare(self, count: int, rounds: int, *, mixed: bool = False) -> Comparison:
        """Bring a file in by both ways in turn."""
        repeated = count // ONE_REPEATED_IN if mixed else 0
        file = write_file(self.folder / "numbers.csv", count, repeated, self.client.account_id)
        seconds = take_turns(
            rounds,
            {"ours": lambda: self.ours(file, repeated), "pgloader": lambda: self.theirs(file)},
        )
        self.empty()
        return Comparison(
            name=f"a file of numbers{', some repeated' if mixed else ''}",
            what=f"`number_management` add, {count:,} rows"
            + (f", {repeated:,} of them repeated" if mixed else "")
            + ", PostgreSQL, from PUT to the downloaded out.csv",
            against="pgloader into an equal table",
            ratios=ratios(seconds["ours"], seconds["pgloader"])
            if not mixed
            else ratios(seconds["pgloader"], seconds["ours"]),
            at_most=None if mixed else 2,
            at_least=15 if mixed else None,
            figures={name: per_second(count, each) for name, each in seconds.items()},
        )

    def ours(self, file: Path, repeated: int) -> float:
        """Upload, run and download; return the seconds."""
        self.empty()
        started = time.perf_counter()
        with file.open("rb") as content:
            task_id = self.client.upload(content, category="number_management", action="add")
        self.client.call("PATCH", task_id)
        task = self.client.wait_for_end(task_id)
        output = self.client.download(task_id, "out.csv")
        took = time.perf_counter() - started
        if task["failure_count"] != repeated or output.count(b"\n") != task["total_count"] + 1:
            raise RuntimeError(f"not what was expected: {task}")
        self.client.call("DELETE", task_id)
        return took

    def theirs(self, file: Path) -> float:
        """Let pgloader load the file; return the seconds."""
        self.empty()
        at = urlsplit(self.url)
        order = self.folder / "order.load"
        order.write_text(
            LOAD.format(
                file=file, user=at.username, host=at.hostname, port=at.port, name=at.path[1:]
            )
        )
        command = [self.pgloader, "--quiet", "--root-dir", str(self.folder / "pgloader")]
        started = time.perf_counter()
        done = subprocess.run([*command, str(order)], capture_output=True, text=True, check=False)
        took = time.perf_counter() - started
        with psycopg.connect(self.url) as connection:
            ((loaded, different),) = connection.execute(
                "SELECT count(*), count(DISTINCT number) FROM equal"
            )
        expected = len({*file.read_bytes().splitlines()}) - 1
        if not loaded == different == expected:
            raise RuntimeError(
                f"pgloader loaded {loaded} of {expected}: {done.stdout}{done.stderr}"
            )
        return took

    def empty(self) -> None:
        """Remove what the last round has left."""
        with psycopg.connect(self.url) as connection:
            connection.execute(f"TRUNCATE {NUMBERS}, {HISTORY}, equal")


def fixed_values(connection: psycopg.Connection) -> Iterator[tuple[str, str]]:
    """Yield the columns that a file does not have, with what `add` puts there, as SQL."""
    columns = connection.execute(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'equal'"
        " AND is_nullable = 'NO' AND column_default IS NULL AND is_identity = 'NO'"
        " AND column_name NOT IN ('number', 'account_id')"
    ).fetchall()
    values = {
        "state": "'in_service'",
        "carrier_module": "'knm_local'",
        "timestamp with time zone": "now()",
        "boolean": "false",
        "jsonb": "'{}'",
    }
    for name, kind in columns:
        yield name, values.get(name) or values[kind]


def write_file(file: Path, count: int, repeated: int, account_id: str) -> Path:
    """Write a file of `count` rows; the `repeated` ones have a number that came just before."""
    numbers = [f"+1415{number:07}" for number in range(count)]
    step = count // repeated if repeated else count + 1
    for place in range(step - 1, count, step):
        numbers[place] = numbers[place - 1]
    file.write_text("number,account_id\n" + "".join(f"{each},{account_id}\n" for each in numbers))
    return file


if __name__ == "__main__":
    main(measure)
