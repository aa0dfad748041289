"""Does a process end when its parent is gone, even if the parent went first?"""

import os
import signal
import subprocess
import sys

import pytest

WAIT_SECONDS = 20

CHILD = """
import os, signal, sys
from piston.processes import orphans

if {by_thread}:
    orphans.is_told_by_linux = lambda _: False
{before}
orphans.end_with_parent({parent}, signal.{number})
print(os.getpid(), flush=True)
{after}
"""

PARENT = """
import os, subprocess, sys

child = sys.argv[1].replace("PARENT", str(os.getpid()))
ended = subprocess.run([sys.executable, "-c", child], check=False)
print(ended.returncode)
"""

WAIT = "signal.pause()"
ANSWER = "signal.signal(signal.SIGTERM, lambda *_: (print('in order', flush=True), sys.exit()))"


def child(
    *, parent: str = "PARENT", number: str = "SIGTERM", by_thread: bool = False, before: str = ""
) -> str:
    return CHILD.format(
        by_thread=by_thread, before=before, parent=parent, number=number, after=WAIT
    )


def start(code: str) -> tuple[subprocess.Popen[str], int]:
    """Start a parent with a child; return the parent and the number of the child."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, code], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout
    return parent, int(parent.stdout.readline())


def read_to_the_end(parent: subprocess.Popen[str]) -> str:
    """Return what is printed until no process has the pipe open: until the child is gone, too."""
    return parent.communicate(timeout=WAIT_SECONDS)[0]


@pytest.mark.parametrize("number", ["SIGTERM", "SIGKILL"])
@pytest.mark.parametrize("by_thread", [False, True])
def test_a_child_ends_when_its_parent_is_killed(number: str, by_thread: bool) -> None:
    parent, _ = start(child(number=number, by_thread=by_thread))

    parent.kill()

    assert read_to_the_end(parent) == ""


@pytest.mark.parametrize("by_thread", [False, True])
def test_a_child_that_handles_the_signal_ends_in_order(by_thread: bool) -> None:
    parent, _ = start(child(before=ANSWER, by_thread=by_thread))

    parent.kill()

    assert read_to_the_end(parent) == "in order\n"


@pytest.mark.parametrize("by_thread", [False, True])
def test_a_child_whose_parent_went_before_ends_at_once(by_thread: bool) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()

    ended = subprocess.run(
        [sys.executable, "-c", child(parent=str(gone.pid), by_thread=by_thread)],
        timeout=WAIT_SECONDS,
        check=False,
        stdout=subprocess.DEVNULL,
    )

    assert ended.returncode == -signal.SIGTERM


@pytest.mark.parametrize("by_thread", [False, True])
def test_a_child_lives_as_long_as_its_parent(by_thread: bool) -> None:
    parent, process = start(child(number="SIGKILL", by_thread=by_thread))

    os.kill(process, signal.SIGTERM)

    assert read_to_the_end(parent) == f"{-signal.SIGTERM}\n"  # and not by the signal of an orphan
