"""Do pauses grow up to a maximum?"""

from itertools import islice

from piston.backoff import backoff_seconds


def test_each_pause_is_twice_the_last_one_up_to_a_bound() -> None:
    assert list(islice(backoff_seconds(), 6)) == [1, 2, 4, 8, 10, 10]
