"""Are messages in a folder whole or not there, and is a torn one dropped?"""

from __future__ import annotations

import os
import time
from pathlib import Path
from queue import Empty
from typing import Any

import kombu
import pytest

from piston import message_folder

QUEUE = "piston.slices"
MESSAGE = {"body": "é", "properties": {"delivery_tag": "1"}}


@pytest.fixture
def channel(tmp_path: Path) -> Any:
    message_folder.take_over()
    options = {
        "data_folder_in": str(tmp_path),
        "data_folder_out": str(tmp_path),
        "control_folder": str(tmp_path / "control"),
    }
    with kombu.Connection("filesystem://", transport_options=options) as connection:
        yield connection.channel()


def test_what_was_put_is_got_once(channel: Any) -> None:
    channel._put(QUEUE, MESSAGE)

    assert channel._get(QUEUE) == MESSAGE
    with pytest.raises(Empty):
        channel._get(QUEUE)


def test_a_message_shows_only_when_it_is_written(
    channel: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def look_first(source: Path, target: Path) -> None:
        seen.append((channel._size(QUEUE), source.read_text()))
        source.rename(target)

    monkeypatch.setattr(Path, "replace", look_first)
    channel._put(QUEUE, MESSAGE)

    assert seen[0][0] == 0
    assert seen[0][1].endswith("}")
    assert channel._size(QUEUE) == 1


@pytest.mark.parametrize("torn", [b"", b"{", b'{"body": "\xc3'])
def test_a_torn_message_is_dropped_and_the_next_one_comes(
    torn: bytes, channel: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / f"0_torn.{QUEUE}.msg").write_bytes(torn)
    channel._put(QUEUE, MESSAGE)

    with pytest.raises(Empty):
        channel._get(QUEUE)

    assert "torn" in caplog.text
    assert channel._get(QUEUE) == MESSAGE


def test_what_cannot_be_written_leaves_nothing_behind(
    channel: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(Path, "replace", full)

    with pytest.raises(kombu.exceptions.ChannelError, match="No space left"):
        channel._put(QUEUE, MESSAGE)

    assert [path for path in tmp_path.iterdir() if path.is_file()] == []


def test_a_torn_list_of_listeners_is_made_again(channel: Any, tmp_path: Path) -> None:
    channel._queue_bind("news", "", "", "first")
    (tmp_path / "control" / "news.exchange").write_bytes(b"")

    assert channel.get_table("news") == []
    channel._queue_bind("news", "", "", "second")

    assert [each.queue for each in channel.get_table("news")] == ["second"]


def test_what_killed_processes_left_is_deleted_but_not_what_is_being_written(
    channel: Any, tmp_path: Path
) -> None:
    left, under_way, message = (
        tmp_path / name for name in ("1_a.q.new", "2_b.q.new", f"3_c.{QUEUE}.msg")
    )
    long_ago = time.time() - 2 * message_folder.TORN_SECONDS
    for file in (left, under_way, message):
        file.write_text("{")
    for file in (left, message):
        os.utime(file, (long_ago, long_ago))

    channel.connection.client.channel()

    assert not left.exists()
    assert under_way.exists()
    assert message.exists()
