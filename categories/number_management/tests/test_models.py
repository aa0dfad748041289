import pytest
from django.db import IntegrityError, transaction

from categories.number_management.carriers import CARRIERS
from categories.number_management.models import NumberChange, PhoneNumber
from categories.number_management.states import ASSIGNED, NumberState
from categories.number_management.tests.factories import NOW, NUMBER, PhoneNumberFactory
from tests.factories import AccountFactory

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("state", NumberState)
def test_a_number_has_an_account_exactly_when_its_state_says_so(state: NumberState) -> None:
    account = AccountFactory.create()
    wrong = None if state in ASSIGNED else account

    with pytest.raises(IntegrityError), transaction.atomic():
        PhoneNumberFactory.create(state=state, account=wrong)

    assert PhoneNumberFactory.create(state=state).pk


def test_a_number_is_there_once() -> None:
    PhoneNumberFactory.create(number=NUMBER)

    with pytest.raises(IntegrityError), transaction.atomic():
        PhoneNumberFactory.create(number=NUMBER, state=NumberState.AVAILABLE)

    assert PhoneNumber.objects.count() == 1


def test_an_entry_of_the_register_cannot_be_changed() -> None:
    change = NumberChange.objects.create(number=NUMBER, action="add", at=NOW)

    change.action = "delete"

    with pytest.raises(TypeError, match="append-only"):
        change.save()


def test_the_longest_carrier_fits() -> None:
    length = PhoneNumber._meta.get_field("carrier_module").max_length

    assert length is not None
    assert max(map(len, CARRIERS)) <= length
