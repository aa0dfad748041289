"""Is a result kept, and held against what was there before?"""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.history import BEGIN, END, History
from benchmarks.measuring import Comparison, take_turns


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    (tmp_path / "performance.md").write_text(f"Above.\n{BEGIN}\n{END}\nBelow.\n")
    return tmp_path


def compared(*ratios: float, at_most: float | None = None) -> Comparison:
    at_least = 0.5 if at_most is None else None
    return Comparison("scan", "scanning", "a loop", [*ratios], at_least=at_least, at_most=at_most)


def keep(docs: Path, *results: Comparison) -> History:
    history = History(docs)
    for result in results:
        history.add(result, question="scanning", day="2026-01-01", version="abc")
    history.write(["scanning"])
    return History(docs)


def test_a_result_comes_back(docs: Path) -> None:
    history = keep(docs, compared(0.5, 0.6, 0.9))

    assert history.newest("scan")["median"] == 0.6
    assert history.newest("scan")["reached"]


def test_the_table_has_a_line_for_it(docs: Path) -> None:
    keep(docs, compared(0.4))

    page = (docs / "performance.md").read_text()

    assert "| scanning | a loop | ≥ 0.5 | **0.40** (0.40 to 0.40) | **no** |" in page
    assert page.startswith("Above.")
    assert page.endswith("Below.\n")


def test_a_first_result_is_no_regression(docs: Path) -> None:
    assert not History(docs).describe_regression(compared(0.1))


@pytest.mark.parametrize(("ratio", "is_worse"), [(0.81, False), (0.79, True), (2.0, False)])
def test_a_share_that_falls_by_a_fifth_is_a_regression(
    docs: Path, ratio: float, is_worse: bool
) -> None:
    history = keep(docs, compared(1.0))

    assert bool(history.describe_regression(compared(ratio))) is is_worse


@pytest.mark.parametrize(("ratio", "is_worse"), [(1.24, False), (1.26, True), (0.1, False)])
def test_a_multiple_that_grows_is_a_regression(docs: Path, ratio: float, is_worse: bool) -> None:
    history = keep(docs, compared(1.0, at_most=2))

    assert bool(history.describe_regression(compared(ratio, at_most=2))) is is_worse


def test_a_regression_is_never_what_later_ones_are_held_against(docs: Path) -> None:
    history = keep(docs, compared(1.0), *[compared(0.5)] * 7)

    assert history.describe_regression(compared(0.5))


def test_ways_take_turns_and_the_first_round_does_not_count() -> None:
    called: list[str] = []

    seconds = take_turns(
        2, {"one": lambda: called.append("one"), "two": lambda: called.append("two") or 3.5}
    )

    assert called == ["one", "two"] * 3
    assert len(seconds["one"]) == 2
    assert seconds["two"] == [3.5, 3.5]
