"""Are the processes found that have a file or a port open?"""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from piston.processes import holders

pytestmark = pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="Linux alone says so")


def test_who_has_a_file_open_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    with file.open("w") as held:
        child = subprocess.Popen(
            [sys.executable, "-c", "input()"], pass_fds=[held.fileno()], stdin=subprocess.PIPE
        )

        found = holders.holders_of_file(file)

    child.communicate(b"\n")
    assert found == sorted([os.getpid(), child.pid])


def test_no_process_has_a_file_that_was_closed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    assert holders.holders_of_file(tmp_path / "file") == []


@pytest.mark.parametrize(
    ("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
)
def test_who_listens_on_a_port_is_named(family: socket.AddressFamily, address: str) -> None:
    with socket.create_server((address, 0), family=family) as server:
        port = server.getsockname()[1]

        assert holders.holders_of_port(port) == [os.getpid()]

    assert holders.holders_of_port(port) == []
