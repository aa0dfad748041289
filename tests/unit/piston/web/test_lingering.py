import pytest

from piston.http.transfers import (
    SLOT_HOLDER,
    SlotHolder,
    TransferSlots,
    name_client,
    try_to_look_up_tree,
)
from piston.web import lingering
from piston.web.lingering import (
    LINGER_BYTES,
    LINGER_SECONDS,
    MAX_LINGER_COUNT,
    MAX_LINGER_SECONDS,
    Linger,
)
from piston.web.minimum_rate import GRACE_SECONDS

RATE = 1000


class Clock:
    """A time.monotonic that the test sets."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(lingering, "time", clock)
    return clock


@pytest.fixture
def slots() -> TransferSlots:
    return TransferSlots(8, per_client=4)


def linger(slots: TransferSlots, *, is_known: bool, client: str = "a", tree: str = "") -> Linger:
    holder = SlotHolder(TransferSlots(1, per_client=1), client, body_is_here=False)
    if is_known:
        name_client({SLOT_HOLDER: holder}, client, lambda: tree or client)
        try_to_look_up_tree(holder)
    return Linger(slots, holder, RATE)


def test_any_client_may_go_on_sending_for_a_moment_and_some_bytes(
    clock: Clock, slots: TransferSlots
) -> None:
    stranger = linger(slots, is_known=False)

    assert stranger.accepts(LINGER_BYTES)
    assert stranger.deadline == clock.now + LINGER_SECONDS
    assert not stranger.accepts(1)
    assert slots.taken == 0


def test_a_known_client_may_send_as_much_as_it_likes(clock: Clock, slots: TransferSlots) -> None:
    known = linger(slots, is_known=True)

    assert known.accepts(10**12)
    assert slots.taken == 1


def test_a_known_client_has_to_keep_the_minimum_rate(clock: Clock, slots: TransferSlots) -> None:
    known = linger(slots, is_known=True)
    assert known.deadline == clock.now + GRACE_SECONDS

    clock.now += 20
    known.accepts(5 * RATE)

    assert known.deadline == clock.now + GRACE_SECONDS - 20 + 5


def test_a_known_client_that_never_ends_is_cut_off(clock: Clock, slots: TransferSlots) -> None:
    known = linger(slots, is_known=True)
    end = clock.now + MAX_LINGER_SECONDS

    while clock.now < end:
        assert known.deadline > clock.now
        known.accepts(100 * RATE)
        clock.now += 10

    assert known.deadline == end


def test_a_known_client_that_lingers_too_often_is_treated_like_any_other(
    clock: Clock, slots: TransferSlots
) -> None:
    for _ in range(4):
        linger(slots, is_known=True)

    fifth = linger(slots, is_known=True)

    assert fifth.deadline == clock.now + LINGER_SECONDS
    assert linger(slots, is_known=True, client="b").deadline == clock.now + GRACE_SECONDS


def test_a_tree_of_many_accounts_leaves_places_for_others(clock: Clock) -> None:
    slots = TransferSlots(MAX_LINGER_COUNT, per_client=MAX_LINGER_COUNT // 2)

    for number in range(2 * MAX_LINGER_COUNT):
        linger(slots, is_known=True, client=f"child {number}", tree="tree")

    assert linger(slots, is_known=True, client="stranger").deadline == clock.now + GRACE_SECONDS


def test_a_client_whose_tree_is_unknown_is_treated_like_any_other(
    clock: Clock, slots: TransferSlots
) -> None:
    holder = SlotHolder(TransferSlots(1, per_client=1), "a", body_is_here=False)
    name_client({SLOT_HOLDER: holder}, "a", lambda: "tree")

    assert Linger(slots, holder, RATE).deadline == clock.now + LINGER_SECONDS
    assert slots.taken == 0
