"""Tests what an upload leaves behind, both accepted and refused."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from django.db import OperationalError

from categories import registry
from piston.http.errors import FaultyRequest
from tasks_app import creating, storing_uploads
from tasks_app.csv_files.scanning import Scan
from tasks_app.errors import CSVFormatError, FieldErrors, UnexpectedContent
from tasks_app.models import Segment, Task, TaskCSV, TaskEvent
from tests import engine, plugins
from tests.factories import AccountFactory, TaskFactory

pytestmark = pytest.mark.django_db(transaction=True)


def order(action: str = "check") -> creating.Order:
    account = AccountFactory.create()
    category, action_class = registry.get_action("trial", action)
    return creating.Order(account, account, category, action_class, engine.TESTER)


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_good_file_becomes_a_task_with_its_input_one_segment_and_an_event() -> None:
    task = engine.submit("check", "name,do", "a,", "b,")

    csv = task.csvs.get()
    segment = task.segments.get()
    assert (task.status, task.total_count) == ("pending", 2)
    assert (csv.name, csv.row_count, csv.header, csv.size_bytes) == (
        "in.csv",
        2,
        ["name", "do"],
        14,
    )
    assert (segment.cursor_offset, segment.end_offset, segment.end_row) == (8, 14, 2)
    assert TaskEvent.objects.get(task_id=task.pk).kind == "created"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", CSVFormatError),
        (b"name,do\n", CSVFormatError),
        (b"name,do\na\n", CSVFormatError),
        (b"name,wef\na,\n", FieldErrors),
        (b"do\na\n", FieldErrors),
        (b"name,do\n,x\n", FieldErrors),
    ],
)
def test_a_refused_file_leaves_nothing(body: bytes, error: type[Exception], settings: Any) -> None:
    before = files_in(settings.PISTON_DATA_DIR / "files")

    with pytest.raises(error):
        creating.submit_csv(order(), io.BytesIO(body))

    assert not Task.objects.exists()
    assert not TaskCSV.objects.exists()
    assert files_in(settings.PISTON_DATA_DIR / "files") == before


def test_a_body_that_breaks_off_leaves_nothing(settings: Any) -> None:
    class CutOff:
        """Yields one block, then says that the connection ended."""

        blocks: Iterator[bytes] = iter([b"name,do\n" + b"a,\n" * 10_000])

        def read(self, size: int = -1) -> bytes:
            for block in self.blocks:
                return block
            raise FaultyRequest("the body ended before it was complete")

    with pytest.raises(FaultyRequest):
        creating.submit_csv(order(), CutOff())

    assert not TaskCSV.objects.exists()


def test_input_for_an_action_that_takes_none_is_refused_and_the_reverse() -> None:
    with pytest.raises(UnexpectedContent) as unwanted:
        creating.submit_csv(order("count"), io.BytesIO(b"name\na\n"))
    with pytest.raises(UnexpectedContent) as missing:
        creating.submit_without_input(order("check"))

    assert unwanted.value.expected_content == "none"
    assert missing.value.expected_content == "text/csv"


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_gzipped_body_is_expanded_block_by_block(size: int) -> None:
    content = b"name,do\n" + b"".join(b"n%d,\n" % index for index in range(5000))
    members = gzip.compress(content[:20_000]) + gzip.compress(content[20_000:])
    stream = storing_uploads.GunzippedStream(io.BytesIO(members), 10**6)

    expanded = b"".join(iter(lambda: stream.read(size), b""))

    assert expanded == content


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"no gzip at all", "not valid gzip"),
        (gzip.compress(b"name\n" * 10_000, mtime=0)[:-20], "cut off"),
        (gzip.compress(b"\n" * 2_000_000, mtime=0), "expands to more than 1000000 bytes"),
    ],
)
def test_a_bad_gzip_is_a_format_error_that_says_why(body: bytes, reason: str) -> None:
    stream = storing_uploads.GunzippedStream(io.BytesIO(body), 1_000_000)

    with pytest.raises(CSVFormatError, match=reason):
        list(iter(lambda: stream.read(4096), b""))


@pytest.mark.parametrize("goes_through", [True, False])
def test_an_upload_whose_commit_raised_keeps_its_file_exactly_when_there_is_a_task(
    goes_through: bool, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    create, folder = creating.create_with_input, settings.PISTON_DATA_DIR / "files"
    before = files_in(folder)

    def create_and_lose_the_reply(*arguments: Any) -> NoReturn:
        if goes_through:
            create(*arguments)
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(creating, "create_with_input", create_and_lose_the_reply)
    with pytest.raises(OperationalError):
        engine.submit("check", "name,do", "a,")

    kept = [str(path.relative_to(folder)) for path in files_in(folder) if path not in before]
    assert kept == list(TaskCSV.objects.values_list("key", flat=True))
    assert len(kept) == Task.objects.count() == int(goes_through)


@pytest.mark.parametrize("rows", [1, 99, 100, 250, 4000, 6500, 123_456])
def test_segments_cover_every_row_once_in_order_and_are_equally_long(rows: int) -> None:
    step = max(100, rows // 500)
    scan = Scan(
        header=("name",),
        header_line=b"name",
        data_offset=5,
        row_count=rows,
        size_bytes=5 + 2 * rows,
        checkpoints=[(row, 5 + 2 * row) for row in range(0, rows, step)],
        block_rows=[rows],
    )

    segments = creating.cut_segments(TaskFactory.build(), plugins.Spread, scan)

    edges = [(segment.start_row, segment.end_row) for segment in segments]
    assert edges[0][0] == 0
    assert edges[-1][1] == rows
    assert [end for _, end in edges[:-1]] == [start for start, _ in edges[1:]]
    assert all(segment.cursor_offset == 5 + 2 * segment.start_row for segment in segments)
    assert 1 <= len(segments) <= creating.MAX_SEGMENTS
    assert len(segments) > 1 or rows <= 100
    *all_but_the_last, last = [end - start for start, end in edges if end]
    assert len(set(all_but_the_last)) <= 1
    assert all(last <= length for length in all_but_the_last)
    assert not Segment.objects.exists()
