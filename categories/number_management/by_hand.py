"""What staff record by hand, for outside systems that this one does not talk to."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from categories.number_management.changes import add_changes, describe_change
from categories.number_management.models import PhoneNumber, PhoneNumberQuerySet
from categories.number_management.states import NumberState

# action -> the state in which numbers have to be, and the state in which it puts them
PORTS = {
    "port_out": (NumberState.IN_SERVICE, NumberState.PORT_OUT),
    "cancel_port_out": (NumberState.PORT_OUT, NumberState.IN_SERVICE),
}


@transaction.atomic
def record_port(numbers: PhoneNumberQuerySet, action: str, now: datetime) -> int:
    """Record that numbers go to another operator, or stay; return how many it concerned."""
    before, after = PORTS[action]
    concerned = numbers.filter(state=before).select_for_update().order_by("number")
    found = list(concerned.values_list("pk", "number", "account_id"))
    ids = [pk for pk, *_ in found]
    PhoneNumber.objects.filter(pk__in=ids).update(state=after, modified_at=now)
    changes = [
        describe_change(number, action, (before, account_id), (after, account_id), now)
        for _, number, account_id in found
    ]
    add_changes(changes, using=numbers.db)
    return len(found)


@transaction.atomic
def record_discovery(number: PhoneNumber, now: datetime) -> None:
    """Save a number that a carrier offers; until it is taken, it stays for a day."""
    number.state = NumberState.DISCOVERY
    number.created_at = number.modified_at = now
    number.save(force_insert=True)
    change = describe_change(number.number, "discover", (None, None), (number.state, None), now)
    add_changes([change], using=number._state.db or "default")
