"""Do the processes of the pool have a low priority, for memory and processors?"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from celery.signals import worker_process_init

from piston.celery import pool_processes

PATIENCE_SECONDS = 60

WORKER = """
import os, signal, sys, time
import billiard
from celery.signals import worker_process_init
from piston.celery import pool_processes

def run(worker, is_late):
    print("forked", flush=True)
    while is_late and os.getppid() == worker:
        time.sleep(0.01)
    worker_process_init.send(sender=None)
    print("ready", flush=True)
    signal.pause()

pool_processes.install()
process = billiard.Process(target=run, args=(os.getpid(), sys.argv[1] == "late"))
process.start()
process.join()
"""


def test_a_process_of_the_pool_offers_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_processes, "OOM_SCORE", tmp_path / "oom_score_adj")
    monkeypatch.setattr(
        pool_processes.os, "nice", lambda _: 0
    )  # otherwise the niceness stays for all later tests

    worker_process_init.send(sender=None)

    assert (tmp_path / "oom_score_adj").read_text() == "500"


def test_where_the_kernel_cannot_be_told_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_processes, "OOM_SCORE", Path("/proc/no/such/file"))

    pool_processes.raise_oom_score()


def test_this_kernel_takes_the_offer() -> None:
    told = (
        "from piston.celery.pool_processes import *;"
        " raise_oom_score(); print(OOM_SCORE.read_text())"
    )

    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)

    assert int(done.stdout) == 500


@pytest.mark.parametrize("before", [0, 5, 15])
def test_a_process_of_the_pool_is_nice_but_no_nicer_than_need_be(before: int) -> None:
    told = (
        "import os; from celery.signals import worker_process_init as begin;"
        "from piston.celery import pool_processes; pool_processes.install();"
        f"os.nice({before} - os.nice(0)); begin.send(sender=None); print(os.nice(0))"
    )

    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)

    assert int(done.stdout) == max(before, pool_processes.NICENESS)


@pytest.mark.parametrize("leads", [True, False])
def test_a_session_of_the_workers_own_is_nice_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leads: bool
) -> None:
    session = tmp_path / "autogroup"
    monkeypatch.setattr(pool_processes, "SESSION", session)
    monkeypatch.setattr(pool_processes.os, "nice", lambda _: 0)
    monkeypatch.setattr(pool_processes.os, "getsid", lambda _: os.getppid() if leads else 1)

    pool_processes.lower_priority()

    assert session.exists() == leads
    assert not leads or int(session.read_text()) == pool_processes.NICENESS


@pytest.mark.parametrize("when", ["late", "in time"])
def test_a_process_of_the_pool_ends_with_its_worker(when: str) -> None:
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, when], stdout=subprocess.PIPE, text=True
    )
    assert worker.stdout
    assert worker.stdout.readline() == "forked\n"
    assert when == "late" or worker.stdout.readline() == "ready\n"

    worker.kill()

    # until no process has the pipe open, so until the process of the pool is gone, too
    assert worker.communicate(timeout=PATIENCE_SECONDS)[0] == ""
