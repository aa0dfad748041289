"""Which states can a number be in, and how does it get from one to another?"""

from __future__ import annotations

from django.db import models


class NumberState(models.TextChoices):
    """What may be done with a number at the moment."""

    AGING = "aging"  # given back a while ago; rests before it is available again
    AVAILABLE = "available"  # nobody's: anyone may take it
    DELETED = "deleted"  # about to be removed
    DISCOVERY = "discovery"  # seen at a carrier, not bought
    IN_SERVICE = "in_service"  # calls arrive at its account
    PORT_IN = "port_in"  # on its way to us from another operator
    PORT_OUT = "port_out"  # on its way to another operator
    RELEASED = "released"  # given back
    RESERVED = "reserved"  # kept for its account, not in use


# a number has an account in these states, and has none in all others
ASSIGNED = frozenset(
    {NumberState.IN_SERVICE, NumberState.PORT_IN, NumberState.PORT_OUT, NumberState.RESERVED}
)
UNASSIGNED = frozenset(NumberState) - ASSIGNED

# a new number may be put into these by the super-duper admin
CREATABLE = (
    NumberState.AGING,
    NumberState.AVAILABLE,
    NumberState.IN_SERVICE,
    NumberState.PORT_IN,
    NumberState.RESERVED,
)
# … and into these by everybody else, for accounts they may act on
CREATABLE_BY_ANYONE = frozenset({NumberState.IN_SERVICE, NumberState.RESERVED})

# an existing number may be "created" once more from these, to the states beside
RECREATED = {
    NumberState.AVAILABLE: frozenset(CREATABLE) - {NumberState.PORT_IN},
    NumberState.AGING: frozenset({NumberState.AGING, NumberState.IN_SERVICE}),
    NumberState.PORT_IN: frozenset({NumberState.PORT_IN, NumberState.IN_SERVICE}),
}
