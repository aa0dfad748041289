"""How fast is an upload over HTTP, against copying the same bytes through the same server?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import urlsplit

from benchmarks.measuring import Comparison, Scale, main, per_second, ratios, take_turns
from benchmarks.samples import KINDS, make_file
from benchmarks.serving import Servers, send, web_servers

JUDGED = ("plain", "mixed", "quoted")


def measure(scale: Scale) -> Iterator[Comparison]:
    """Upload a million rows of each kind."""
    with web_servers() as servers:
        for kind in JUDGED:
            yield compare(servers, kind, scale)


def compare(servers: Servers, kind: str, scale: Scale) -> Comparison:
    """Upload a file to both servers in turn."""
    content = make_file(kind, scale.rows(1_000_000))
    servers.forget_peaks()
    seconds = take_turns(
        scale.rounds,
        {"copy": lambda: copy(servers, content), "upload": lambda: upload(servers, content)},
    )
    megabytes = len(content) / 1e6
    return Comparison(
        name=f"upload {kind}",
        what=f"upload over HTTP, {megabytes:.0f} MB, {KINDS[kind]}",
        against="the same bytes written to a file by the same server",
        ratios=ratios(seconds["copy"], seconds["upload"]),
        at_least=0.6,
        figures={name: per_second(megabytes, each, "MB") for name, each in seconds.items()},
        peaks=servers.peaks(),
    )


def upload(servers: Servers, content: bytes) -> float:
    """Create a task; return the seconds. It is deleted afterwards.

    So is its file, which a sweeper would do, and there is none: both ways then write to memory
    that was just given back.
    """
    client = servers.client
    path = urlsplit(f"{client.tasks}?category=contacts&action=look")
    token = str(client.session.headers["X-Auth-Token"])
    took, body = send(
        servers.installation.port,
        f"{path.path}?{path.query}",
        content,
        {"Content-Type": "text/csv", "X-Auth-Token": token},
    )
    task_id = json.loads(body)["data"]["_read_only"]["id"]
    client.session.delete(f"{client.tasks}/{task_id}").raise_for_status()
    (stored,) = servers.folder.glob(f"data/files/*/{task_id}-*")
    stored.unlink()
    return took


def copy(servers: Servers, content: bytes) -> float:
    """Have the bytes written; return the seconds. The file is deleted afterwards."""
    file = servers.folder / "copy"
    took, _ = send(servers.bare_port, str(file), content, {"Content-Type": "text/csv"})
    assert file.stat().st_size == len(content)
    file.unlink()
    return took


if __name__ == "__main__":
    main(measure)
