"""Does `make run` start everything, say how to use it, restart what dies, and end when told to?"""

import contextlib
import fcntl
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.servers import family, free_port, send_signal, wait_until

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60
STOP_SECONDS = 20

pytestmark = pytest.mark.acceptance


class MakeRun:
    """`make run` as a user starts it, with nothing set but where and on which port."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        folder.mkdir(exist_ok=True)
        self.port = port or free_port()
        self.folder = folder / "data"
        self.log = folder / f"log-{self.port}"
        bare = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                ["make", "run"],
                cwd=ROOT,
                env={**bare, "PISTON_DATA_DIR": str(self.folder), "PORT": str(self.port)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # a test run in the background has INT ignored, and its children would inherit that
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )

    def wait_until_ready(self) -> None:
        wait_until(lambda: self.answers() and "ready." in self.text(), seconds=START_SECONDS)

    def answers(self) -> bool:
        with contextlib.suppress(requests.RequestException):
            return requests.get(f"http://127.0.0.1:{self.port}/healthz", timeout=5).ok
        return False

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def supervisor(self) -> int:
        return int((self.folder / "supervisord.pid").read_text())

    def find(self, program: str) -> int | None:
        """Return the first process that runs `program`, or None."""
        for process in family(self.supervisor):
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
                if program.encode() in b" ".join(words):
                    return process
        return None

    def kill(self) -> None:
        if self.process.poll() is None:
            send_signal(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[MakeRun]:
    yield from run_until_ready(tmp_path)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeRun]:
    """One for all tests that leave it running."""
    yield from run_until_ready(tmp_path_factory.mktemp("running"))


def run_until_ready(folder: Path) -> Iterator[MakeRun]:
    run = MakeRun(folder)
    try:
        run.wait_until_ready()
        yield run
    finally:
        run.kill()


def is_gone(process: int) -> bool:
    with contextlib.suppress(OSError):
        return "\nState:\tZ" in Path(f"/proc/{process}/status").read_text()
    return True


@pytest.mark.parametrize(
    ("number", "target"),
    [
        (signal.SIGINT, "group"),  # Ctrl-C
        (signal.SIGINT, "make"),
        (signal.SIGTERM, "make"),
        (signal.SIGTERM, "supervisor"),
        (signal.SIGHUP, "group"),  # as a shell does when its terminal is closed
        (signal.SIGHUP, "make"),
        (signal.SIGKILL, "make"),
        (signal.SIGKILL, "supervisor"),
    ],
)
def test_one_signal_ends_every_process(fresh: MakeRun, number: signal.Signals, target: str) -> None:
    processes = family(fresh.process.pid)
    began = time.monotonic()

    if target == "group":
        os.killpg(fresh.process.pid, number)
    else:
        os.kill(fresh.process.pid if target == "make" else fresh.supervisor, number)

    fresh.process.wait(STOP_SECONDS)
    wait_until(lambda: all(map(is_gone, processes)), seconds=STOP_SECONDS)
    assert time.monotonic() - began < STOP_SECONDS


def test_a_start_after_the_supervisor_was_killed_waits_for_its_processes(fresh: MakeRun) -> None:
    processes = family(fresh.process.pid)
    send_signal(fresh.supervisor, signal.SIGKILL)

    again = MakeRun(fresh.folder.parent, port=fresh.port)

    try:
        again.wait_until_ready()
        assert [process for process in processes if not is_gone(process)] == []
    finally:
        again.kill()


def test_a_start_names_the_process_of_the_last_run_that_does_not_end(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()

    with (tmp_path / "data" / "serve.members").open("w") as left:
        fcntl.flock(left, fcntl.LOCK_SH)  # as each process of the last run has
        run = MakeRun(tmp_path)
        code = run.process.wait(START_SECONDS)

    assert code != 0
    assert f"kill -KILL {os.getpid()}\n" in run.text()


@pytest.mark.parametrize("program", ["gunicorn", "piston worker", "piston beat"])
def test_a_killed_process_is_back_at_once(running: MakeRun, program: str) -> None:
    victim = running.find(program)
    assert victim

    send_signal(victim, signal.SIGKILL)

    wait_until(lambda: running.find(program) not in {None, victim}, seconds=START_SECONDS)
    wait_until(running.answers, seconds=START_SECONDS)


def test_the_lines_it_prints_work_when_pasted(running: MakeRun) -> None:
    printed = re.search(r"repeated:\n\n(.*?)\n\n", running.text(), re.DOTALL)
    assert printed
    last_line = printed[1].splitlines()[-1]
    until_done = f"for try in $(seq 100); do {last_line}; sleep 0.2; done"

    pasted = subprocess.run(
        ["sh", "-c", f"{printed[1]}\n{until_done} | grep -m 1 in_service"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert "+14157215234" in pasted.stdout.splitlines()[-1], pasted


def test_a_second_start_on_the_same_folder_says_so(running: MakeRun) -> None:
    second = MakeRun(running.folder.parent)

    code = second.process.wait(START_SECONDS)

    assert code != 0
    assert f"already running on {running.folder}" in second.text()
    assert "Traceback" not in second.text()


def test_a_second_start_on_the_same_port_says_so(running: MakeRun, tmp_path: Path) -> None:
    second = MakeRun(tmp_path / "other", port=running.port)

    code = second.process.wait(START_SECONDS)

    assert code != 0
    assert f"Port {running.port}" in second.text()
    assert f"process {running.find('gunicorn')}" in second.text()
    assert "Traceback" not in second.text()


def test_a_new_user_is_not_alarmed(running: MakeRun) -> None:
    first_lines = running.text().partition("ready.")[0].splitlines()

    assert [line for line in first_lines if "warn" in line.lower()] == []


def test_the_key_of_the_last_start_is_replaced(fresh: MakeRun) -> None:
    first = re.search(r"API key  (\w+)", fresh.text())
    os.kill(fresh.process.pid, signal.SIGTERM)
    fresh.process.wait(STOP_SECONDS)

    again = MakeRun(fresh.folder.parent)

    try:
        again.wait_until_ready()
        second = re.search(r"API key  (\w+)", again.text())
        assert first
        assert second
        assert sign_in(again, first[1]) == 401
        assert sign_in(again, second[1]) == 201
    finally:
        again.kill()


def sign_in(run: MakeRun, api_key: str) -> int:
    body = {"data": {"api_key": api_key}}
    return requests.put(
        f"http://127.0.0.1:{run.port}/v2/api_auth", json=body, timeout=60
    ).status_code
