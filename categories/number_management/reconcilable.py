"""Says which numbers can be anybody's: no emergency, test or incomplete ones."""

from __future__ import annotations

import re

# North America has 10 digits after +1; elsewhere at least 7 follow the first digit. That leaves out
# +911 and +112; +999999999999999 is a test number.
RECONCILABLE = re.compile(r"\+(?:1[0-9]{10}|(?!9{15})[2-9][0-9]{7,14})")


def is_reconcilable(number: str) -> bool:
    """Say whether an E.164 number can belong to an account."""
    return RECONCILABLE.fullmatch(number) is not None
