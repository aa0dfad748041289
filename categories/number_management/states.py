"""The states of a number, and the permitted changes between them."""

from __future__ import annotations

from django.db import models


class NumberState(models.TextChoices):
    """What may be done with a number at the moment."""

    AGING = "aging"  # given back a while ago; not available yet
    AVAILABLE = "available"  # without an account; any account may take it
    DELETED = "deleted"  # about to be removed
    DISCOVERY = "discovery"  # seen at a carrier, not bought
    IN_SERVICE = "in_service"  # calls arrive at its account
    PORT_IN = "port_in"  # on its way to us from another operator
    PORT_OUT = "port_out"  # on its way to another operator
    RELEASED = "released"  # given back
    RESERVED = "reserved"  # kept for its account, not in use


# a number has an account in these states only
ASSIGNED = frozenset(
    {NumberState.IN_SERVICE, NumberState.PORT_IN, NumberState.PORT_OUT, NumberState.RESERVED}
)
UNASSIGNED = frozenset(NumberState) - ASSIGNED

# states in which the super-duper admin may create a number
CREATABLE = (
    NumberState.AGING,
    NumberState.AVAILABLE,
    NumberState.IN_SERVICE,
    NumberState.PORT_IN,
    NumberState.RESERVED,
)
# states in which others may create a number, for accounts on which they may act
CREATABLE_BY_ANYONE = frozenset({NumberState.IN_SERVICE, NumberState.RESERVED})

# an existing number in one of these states may be created again, in the states given for it
RECREATED = {
    NumberState.AVAILABLE: frozenset(CREATABLE) - {NumberState.PORT_IN},
    NumberState.AGING: frozenset({NumberState.AGING, NumberState.IN_SERVICE}),
    NumberState.PORT_IN: frozenset({NumberState.PORT_IN, NumberState.IN_SERVICE}),
}

# how a number comes into service or is reserved, and from which states
MOVES = {
    NumberState.IN_SERVICE: frozenset(
        {
            NumberState.IN_SERVICE,
            NumberState.DISCOVERY,
            NumberState.PORT_IN,
            NumberState.AVAILABLE,
            NumberState.AGING,
            NumberState.RESERVED,
        }
    ),
    NumberState.RESERVED: frozenset(
        {
            NumberState.RESERVED,
            NumberState.DISCOVERY,
            NumberState.AVAILABLE,
            NumberState.IN_SERVICE,
        }
    ),
}
# states from which a number may be released; one of the local carrier, from any
RELEASABLE = frozenset(
    {NumberState.RELEASED, NumberState.RESERVED, NumberState.PORT_IN, NumberState.IN_SERVICE}
)
