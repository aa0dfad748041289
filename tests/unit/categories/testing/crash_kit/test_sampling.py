"""Are all trials run, or a sample that is even, and does the author read how many?"""

from __future__ import annotations

import pytest

from categories.testing.crash_kit import sampling
from categories.testing.crash_kit.sampling import MIN_TRIALS, Planned, Sampling, Survived, spread


def plan(count: int, tried: list[int]) -> list[Planned]:
    """Return trials that note their places in `tried`; every second one is a death."""
    return [
        Planned(lambda place=place: tried.append(place), is_death=place % 2 == 1)  # type: ignore[misc]
        for place in range(count)
    ]


@pytest.mark.parametrize("seconds", [None, 60.0])
def test_all_trials_are_run_in_their_order_if_there_is_time(
    seconds: float | None, capsys: pytest.CaptureFixture[str]
) -> None:
    tried: list[int] = []

    survived = Sampling("Add", seconds).go_through(plan(100, tried), run_seconds=0.001)

    assert tried == list(range(100))
    assert survived == 50
    assert str(survived) == "tried 100 of 100 boundaries"
    assert capsys.readouterr().err == ""


def test_a_sample_is_run_if_there_is_not_and_the_author_reads_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tried: list[int] = []

    survived = Sampling("Add", 0.0).go_through(plan(3_200, tried), run_seconds=1.0)

    assert len(tried) == MIN_TRIALS
    assert str(survived) == f"tried {MIN_TRIALS} of 3,200 boundaries"
    assert survived == sum(place % 2 for place in tried)
    assert capsys.readouterr().err == (
        f"crash kit: Add: tried {MIN_TRIALS} of 3,200 boundaries in 0 s;"
        " seconds=None tries all of them\n"
    )


def test_all_are_run_in_any_time_if_the_author_asks_for_it() -> None:
    tried: list[int] = []

    Sampling("Add", None).go_through(plan(3_200, tried), run_seconds=1_000_000)

    assert len(tried) == 3_200


@pytest.mark.parametrize("count", [1, 2, 7, 64, 1_000])
@pytest.mark.parametrize("share", [0.1, 0.5, 1])
def test_each_beginning_of_a_sample_is_even(count: int, share: float) -> None:
    tried: list[int] = []
    for trial in spread(plan(count, tried)):
        trial.run()

    first = sorted(tried[: max(1, int(count * share))])
    gaps = [after - before for before, after in zip(first, [*first[1:], count], strict=True)]

    assert sorted(tried) == list(range(count))
    assert first[0] == 0
    assert max(gaps) <= 4 * count / len(first)


def test_what_is_done_already_is_compared_first() -> None:
    tried: list[int] = []
    last = Planned(lambda: tried.append(100), is_done=True)

    for trial in spread([*plan(100, tried), last]):
        trial.run()

    assert tried[0] == 100


def test_a_long_test_prints_its_progress(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "PROGRESS_SECONDS", -1.0)

    Sampling("Add", None).go_through(plan(2, []), run_seconds=0)

    assert capsys.readouterr().err == (
        "crash kit: Add: tried 1 of 2 boundaries in 0 s\n"
        "crash kit: Add: tried 2 of 2 boundaries in 0 s\n"
    )


def test_a_fault_ends_the_test() -> None:
    def fail() -> None:
        raise AssertionError("it died")

    with pytest.raises(AssertionError, match="it died"):
        Sampling("Add").go_through([Planned(fail)], run_seconds=0)


def test_the_deaths_are_a_number() -> None:
    assert Survived(5, tried=6, boundaries=7) > 4
