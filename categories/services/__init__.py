"""How much does each account have, month by month? Quantities at its two ends."""
