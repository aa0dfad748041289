"""Checks the cursor of a page: it must be JSON that the database can store, and it must move."""

from __future__ import annotations

import json
import re
from typing import Any

NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # JSON's escape of NUL, but not an escaped backslash


def find_cursor_problem(cursor: Any, *, last: Any) -> str | None:
    """Return the problem of a cursor that follows `last`, as the end of a sentence; or None.

    A cursor that the database cannot store is the action's fault, not the ledger's.
    """
    if cursor is None:
        return None
    try:
        text = json.dumps(cursor, allow_nan=False, ensure_ascii=False)
        text.encode()
    except (TypeError, ValueError) as error:
        return f"cannot be kept as JSON: {error}"
    if NUL.search(text):
        return "cannot be kept: it has a NUL character"
    if json.loads(text) == last:
        return f"stays at {cursor!r}: the task would never end"
    return None
