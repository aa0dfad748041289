from piston.web.pace import GRACE_SECONDS, TAKEN_SECONDS, Pace


def test_a_silent_client_is_too_slow_after_its_grace() -> None:
    pace = Pace(1000)

    pace.spend(GRACE_SECONDS - 1)
    assert not pace.is_too_slow
    pace.spend(1)

    assert pace.is_too_slow


def test_a_client_at_the_slowest_rate_may_go_on_for_ever() -> None:
    pace = Pace(1000)

    for _ in range(1000):
        pace.spend(1.0)
        pace.earn(1000)

    assert not pace.is_too_slow


def test_a_client_below_it_may_not() -> None:
    pace = Pace(1000)

    for _ in range(100):
        pace.spend(1.0)
        pace.earn(600)

    assert pace.is_too_slow


def test_nobody_can_save_up_for_a_longer_silence() -> None:
    pace = Pace(1000)

    pace.earn(10**9)
    pace.spend(GRACE_SECONDS)

    assert pace.is_too_slow


def test_what_is_taken_of_an_answer_may_last_for_a_longer_silence() -> None:
    pace = Pace(1000)

    pace.earn(10**9, most_seconds=TAKEN_SECONDS)
    pace.earn(10**9)
    pace.spend(TAKEN_SECONDS - 1)
    assert not pace.is_too_slow
    pace.spend(1)

    assert pace.is_too_slow
