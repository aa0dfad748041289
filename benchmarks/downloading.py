"""How fast is a file downloaded, against sendfile(2) of the same file by the same server?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.measuring import Comparison, Scale, main, per_second, ratios, take_turns
from benchmarks.samples import make_file, make_rows
from benchmarks.serving import Servers, take, web_servers

SIZE_BYTES = 500_000_000
BLOCK_ROWS = 10_000
STORE = """
import json, sys
from pathlib import Path
from django.db.models.functions import Now
from tasks_app import storage
from tasks_app.models import CSVName, Task, TaskCSV
task = Task.objects.get(pk={task_id!r})
csv_file = storage.reserve(task.pk, CSVName.OUTPUT)
with Path({path!r}).open("rb") as file:
    storage.save(csv_file, file)
TaskCSV.objects.filter(pk=csv_file.pk).update(task=task, kept_until=None)
Task.objects.filter(pk=task.pk).update(
    status="success", started_at=Now(), ended_at=Now(), is_assembled=True
)
print(json.dumps(storage.default_storage.path(csv_file.key)))
"""


def measure(scale: Scale) -> Iterator[Comparison]:
    """Download 500 MB."""
    size = SIZE_BYTES // 100 if scale.is_quick else SIZE_BYTES
    with web_servers() as servers:
        task_id, file = make_output(servers, size)
        size = file.stat().st_size
        servers.forget_peaks()
        seconds = take_turns(
            scale.rounds,
            {
                "sendfile": lambda: take(servers.bare_port, str(file), {}, size),
                "download": lambda: download(servers, task_id, size),
            },
        )
        megabytes = size / 1e6
        yield Comparison(
            name="download",
            what=f"download of an out.csv of {megabytes:.0f} MB",
            against="sendfile of the same file by the same server",
            ratios=ratios(seconds["sendfile"], seconds["download"]),
            at_least=0.7,
            figures={name: per_second(megabytes, each, "MB") for name, each in seconds.items()},
            peaks=servers.peaks(),
        )


def make_output(servers: Servers, size: int) -> tuple[str, Path]:
    """End a task by hand and give it an out.csv; return its id and where the file is."""
    content = servers.folder / "content"
    rows = make_rows("mixed", BLOCK_ROWS)
    with content.open("wb") as file:
        for _ in range(size // len(rows)):
            file.write(rows)
    task_id = servers.client.upload(make_file("plain", 1), category="contacts", action="look")
    code = STORE.format(task_id=task_id, path=str(content))
    stored = servers.installation.manage("shell", "--no-imports", "-c", code)
    content.unlink()
    return task_id, Path(json.loads(stored))


def download(servers: Servers, task_id: str, size: int) -> float:
    """Take the file; return the seconds."""
    client = servers.client
    path = f"{urlsplit(client.tasks).path}/{task_id}?csv_name=out.csv"
    token = str(client.session.headers["X-Auth-Token"])
    return take(
        servers.installation.port, path, {"Accept": "text/csv", "X-Auth-Token": token}, size
    )


if __name__ == "__main__":
    main(measure)
