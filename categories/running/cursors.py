"""Can a task go on from the cursor of a page? It is kept as JSON, and has to move."""

from __future__ import annotations

import json
import re
from typing import Any

NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # as JSON writes it, not as a text about it


def find_cursor_problem(cursor: Any, *, last: Any) -> str | None:
    """Return what is wrong with a cursor that follows `last`, as the end of a sentence; or None.

    What the database does not keep is the action's fault, and not the ledger's.
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
