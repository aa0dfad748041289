"""What happens to code that does not return in time?"""

import subprocess
import sys
import time

import pytest

from categories.errors import RowTimedOut
from categories.running.time_limit import time_limit

DEAF = """
import signal, time
from categories.running import time_limit
time_limit.WATCHDOG_SECONDS = 0.2
with time_limit.time_limit(0.1):
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    time.sleep(60)
"""


def test_code_that_takes_too_long_is_told() -> None:
    with pytest.raises(RowTimedOut, match=r"timed out after 0\.05 s"), time_limit(0.05):
        time.sleep(60)


def test_a_process_that_hears_no_alarm_ends_and_says_where_it_was() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", DEAF], capture_output=True, text=True, timeout=50, check=False
    )

    assert ended.returncode == 1
    assert "line 7 in <module>" in ended.stderr


def test_nothing_is_left_armed_behind_the_block() -> None:
    quick = "import time\nfrom categories.running import time_limit\n"
    quick += "time_limit.WATCHDOG_SECONDS = 0.1\n"
    quick += "with time_limit.time_limit(0.1):\n    pass\ntime.sleep(0.4)\n"

    ended = subprocess.run([sys.executable, "-c", quick], timeout=50, check=False)

    assert ended.returncode == 0
