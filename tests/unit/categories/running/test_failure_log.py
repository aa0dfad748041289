"""Does a task with many bad rows leave few lines in the log?"""

from __future__ import annotations

import logging

import pytest

from categories.running import failure_log


@pytest.fixture(autouse=True)
def forget() -> None:
    failure_log._counts.clear()


def test_only_the_first_rows_of_a_task_have_a_trace(caplog: pytest.LogCaptureFixture) -> None:
    for row in range(1, 10_001):
        failure_log.log_row("A row failed unexpectedly", "one", row, ValueError("odd"))
    failure_log.log_row("A row failed unexpectedly", "two", 1, ValueError("odd"))

    lines = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert sum("\n" in record.getMessage() for record in lines) == failure_log.MAX_TRACES + 1
    assert len(lines) == failure_log.MAX_LINES + 2  # those of one, its ten thousandth, that of two
    assert lines[-2].message == (
        "A row failed unexpectedly: row 10000 of task one, number 10000: ValueError('odd')"
    )


def test_half_a_surrogate_pair_can_be_logged(caplog: pytest.LogCaptureFixture) -> None:
    failure_log.log_row("A row failed unexpectedly", "one", 7, ValueError("a\ud800b"))

    assert caplog.records[0].getMessage().encode().endswith(rb"ValueError: a\ud800b")


def test_an_endless_text_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    for row in range(1, failure_log.MAX_TRACES + 2):
        failure_log.log_row("A row failed unexpectedly", "one", row, ValueError("x" * 100_000))

    assert len(caplog.records[-1].message) < 2 * failure_log.MAX_ERROR
