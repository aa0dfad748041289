"""Do the lines of docs/api.md work? All of them, in order, in one shell, against real processes."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.installation import ROOT, Client, Installation
from tests.servers import find, needing_programs

pytestmark = pytest.mark.acceptance

DOCUMENT = (ROOT / "docs" / "api.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", DOCUMENT, re.DOTALL)
BEGIN = """
set -eu
curl() { command curl -sS --fail-with-body --max-time 60 "$@"; }
"""


def test_every_line_of_the_documentation_works(tmp_path: Path) -> None:
    with needing_programs():
        find("curl", package="curl")
    with Installation(tmp_path / "installation") as installation:
        client = Client(installation)
        done = subprocess.run(
            ["bash", "-c", BEGIN + "\n".join(BLOCKS)],
            cwd=tmp_path,
            env={
                "PATH": installation.environment["PATH"],
                "API": client.url,
                "ACCOUNT": client.account_id,
                "KEY": client.api_key,
            },
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert (tmp_path / "in.csv").read_bytes() == (tmp_path / "numbers.csv").read_bytes()


def test_every_route_is_in_the_documentation() -> None:
    from tasks_app.api.urls import urlpatterns

    assert len(urlpatterns) == 8
    for words in (
        "/v2/tasks`",
        "/tasks`",
        "/tasks/{T}`",
        "/stop`",
        "/retry`",
        "/input`",
        "`/output`",
        "/rates/{NUMBER}`",
    ):
        assert words in DOCUMENT
