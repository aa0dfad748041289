"""Does the tutorial lead from an empty folder to a category in service? All of it, in one shell."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests import tutorial
from tests.acceptance.installation import ROOT
from tests.servers import find, free_port, needing_programs

pytestmark = pytest.mark.acceptance

# `make run` is typed in a second terminal, where it ends with Ctrl-C; here it goes on behind
BEGIN = """
set -euo pipefail
curl() { command curl -sS --fail-with-body --max-time 60 "$@"; }
server=
stop() { [ -z "$server" ] || { kill -TERM $server; wait $server || true; }; server=; }
trap stop EXIT
make() {
    stop
    python $PISTON/manage.py serve --end-with-parent >> server.log 2>&1 &
    server=$!
    until command curl -sf -o /dev/null ${API%/v2}/healthz; do kill -0 $server; sleep 0.2; done
}
"""
SECRET = "what-the-provider-gave-you"


class Provider(BaseHTTPRequestHandler):
    """A provider of text messages, which is busy at first."""

    received: list[tuple[str, str, str]] = []  # (to, key of the message, Authorization)
    is_busy = True

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if Provider.is_busy:
            Provider.is_busy = False
            self.send_response(429)
            self.send_header("Retry-After", "1")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        key = self.headers["Idempotency-Key"]
        Provider.received.append((body["to"], key, self.headers["Authorization"]))
        answer = json.dumps({"id": f"id-of-{body['to']}"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def provider() -> Iterator[str]:
    """Run the provider; yield its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/send"
    finally:
        server.shutdown()
        server.server_close()


def test_every_line_of_the_tutorial_works(tmp_path: Path) -> None:
    with needing_programs():
        find("curl", package="curl")
    port = str(free_port())
    with provider() as url:
        done = tutorial.run(
            *("bash", "-c", BEGIN + tutorial.read_script()),
            cwd=tmp_path,
            PISTON=str(ROOT),
            PISTON_DATA_DIR=str(tmp_path / "data"),
            PISTON_CONTACTS_URL=url,
            PORT=port,
            API=f"http://127.0.0.1:{port}/v2",
        )

    said = done.stdout.splitlines()
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{read_log(tmp_path)}"
    assert "Ann,fr,Bonjour Ann," in said
    assert [line for line in said if ",added," in line or ",renamed," in line] == [
        "+4930,Ann,added,",
        "+4931,Ben,added,",
        "+4930,Anna,renamed,",
    ]
    assert {"+4930,hello,id-of-+4930,", "+4931,hello,id-of-+4931,"} <= set(said)
    assert said[-3:] == ["number,name", "+4930,Anna", "+4931,Ben"]
    assert len({key for _, key, _ in Provider.received}) == len(Provider.received) == 2
    assert {authorization for _, _, authorization in Provider.received} == {f"Bearer {SECRET}"}
    assert SECRET not in done.stdout + done.stderr + read_log(tmp_path)


def read_log(folder: Path) -> str:
    """Return what the server has printed."""
    log = folder / "plugins" / "server.log"
    return log.read_text(errors="replace") if log.exists() else ""
