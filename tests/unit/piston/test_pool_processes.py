"""Does the kernel end a process of the pool before the worker itself?"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from celery.signals import worker_process_init

from piston import pool_processes


def test_a_process_of_the_pool_offers_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_processes, "OOM_SCORE", tmp_path / "oom_score_adj")

    worker_process_init.send(sender=None)

    assert (tmp_path / "oom_score_adj").read_text() == "500"


def test_where_the_kernel_cannot_be_told_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_processes, "OOM_SCORE", Path("/proc/no/such/file"))

    pool_processes.offer_to_go_first()


def test_this_kernel_takes_the_offer() -> None:
    told = "from piston.pool_processes import *; offer_to_go_first(); print(OOM_SCORE.read_text())"

    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)

    assert int(done.stdout) == 500
