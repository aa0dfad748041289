from datetime import datetime, timedelta

import pytest

from categories.number_management import expiring
from categories.number_management.category import NumberManagement
from categories.number_management.models import NumberChange, PhoneNumber
from categories.number_management.states import NumberState
from categories.number_management.tests.factories import NOW, NUMBER, PhoneNumberFactory, as_now

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)


def expire(now: datetime) -> None:
    (job,) = NumberManagement.periodic
    job.run(now)


def test_it_is_a_daily_job() -> None:
    (job,) = NumberManagement.periodic

    assert (job.name, job.every) == ("expire_numbers", "day")


@pytest.mark.parametrize(
    ("state", "age"), [(NumberState.DELETED, SECOND), (NumberState.DISCOVERY, timedelta(days=1))]
)
def test_deleted_numbers_go_and_those_in_discovery_after_a_day(
    state: NumberState, age: timedelta
) -> None:
    PhoneNumberFactory.create(number=NUMBER, state=state, modified_at=NOW - age - SECOND)
    PhoneNumberFactory.create(state=state, modified_at=NOW - age + SECOND)

    expire(NOW)

    assert PhoneNumber.objects.get().number != NUMBER
    change = NumberChange.objects.get()
    assert (change.number, change.action, change.from_state, change.to_state, change.at) == (
        NUMBER, "expire_numbers", state, None, NOW,
    )  # fmt: skip
    assert (change.by_account, change.task_id) == (None, None)


def test_aging_numbers_become_available_after_90_days() -> None:
    age = timedelta(days=90)
    PhoneNumberFactory.create(number=NUMBER, state="aging", modified_at=NOW - age - SECOND)
    younger = PhoneNumberFactory.create(state="aging", modified_at=NOW - age + SECOND)

    expire(NOW)

    assert (as_now(NUMBER)["state"], as_now(NUMBER)["modified_at"]) == ("available", NOW)
    assert as_now(younger.number)["state"] == "aging"
    change = NumberChange.objects.get()
    assert (change.from_state, change.to_state) == ("aging", "available")


@pytest.mark.parametrize(
    "state", sorted(frozenset(NumberState) - {"deleted", "discovery", "aging"})
)
def test_other_states_last(state: NumberState) -> None:
    PhoneNumberFactory.create(number=NUMBER, state=state, modified_at=NOW - timedelta(days=999))
    before = as_now(NUMBER)

    expire(NOW)

    assert as_now(NUMBER) == before
    assert not NumberChange.objects.exists()


@pytest.mark.parametrize("state", ["deleted", "aging"])
def test_many_numbers_are_taken_in_batches(state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiring, "NUMBERS_AT_A_TIME", 3)
    long_ago = NOW - timedelta(days=99)
    PhoneNumberFactory.create_batch(7, state=state, modified_at=long_ago)

    expire(NOW)

    assert not PhoneNumber.objects.filter(state=state).exists()
    assert NumberChange.objects.values("number").distinct().count() == 7
    assert NumberChange.objects.count() == 7


def test_what_takes_too_long_is_left_for_the_next_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiring, "NUMBERS_AT_A_TIME", 3)
    PhoneNumberFactory.create_batch(7, state="deleted", modified_at=NOW - SECOND)
    seconds = iter([0.0, 1.0, 9.0, *[11.0] * 3])
    monkeypatch.setattr(expiring, "monotonic", lambda: next(seconds))

    expire(NOW)
    left = PhoneNumber.objects.count()
    monkeypatch.undo()
    expire(NOW)

    assert left == 1
    assert not PhoneNumber.objects.exists()
