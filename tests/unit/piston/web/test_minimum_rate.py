from piston.web.minimum_rate import GRACE_SECONDS, MAX_SEND_GRACE_SECONDS, MinimumRate


def test_a_silent_client_is_too_slow_after_its_grace() -> None:
    rate = MinimumRate(1000)

    rate.spend(GRACE_SECONDS - 1)
    assert not rate.is_too_slow
    rate.spend(1)

    assert rate.is_too_slow


def test_a_client_at_the_slowest_rate_may_go_on_for_ever() -> None:
    rate = MinimumRate(1000)

    for _ in range(1000):
        rate.spend(1.0)
        rate.earn(1000)

    assert not rate.is_too_slow


def test_a_client_below_it_may_not() -> None:
    rate = MinimumRate(1000)

    for _ in range(100):
        rate.spend(1.0)
        rate.earn(600)

    assert rate.is_too_slow


def test_no_client_can_save_up_for_a_longer_pause() -> None:
    rate = MinimumRate(1000)

    rate.earn(10**9)
    rate.spend(GRACE_SECONDS)

    assert rate.is_too_slow


def test_what_is_taken_of_an_answer_may_last_for_a_longer_silence() -> None:
    rate = MinimumRate(1000)

    rate.earn(10**9, most_seconds=MAX_SEND_GRACE_SECONDS)
    rate.earn(10**9)
    rate.spend(MAX_SEND_GRACE_SECONDS - 1)
    assert not rate.is_too_slow
    rate.spend(1)

    assert rate.is_too_slow
