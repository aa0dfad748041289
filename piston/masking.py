"""Keeps secrets out of logs and errors: known secret values are replaced wherever text leaves."""

from __future__ import annotations

import json
import logging
from urllib.parse import quote, quote_plus

MASK = "••••••"
MIN_LENGTH = 6  # characters; a shorter value would be found inside of ordinary words

_secrets: set[str] = set()


def hide(value: str) -> None:
    """Never show this value again, also not in a URL, in JSON or as a quoted text."""
    if len(value) >= MIN_LENGTH:
        _secrets.update({value, quote(value, safe=""), quote_plus(value), repr(value)[1:-1]})
        _secrets.update(
            json.dumps(value, ensure_ascii=is_ascii)[1:-1] for is_ascii in (True, False)
        )


def mask(text: str) -> str:
    """Return the text without secrets."""
    for secret in sorted(_secrets, key=len, reverse=True):  # one may be the beginning of another
        text = text.replace(secret, MASK)
    return text


class MaskingFormatter(logging.Formatter):
    """Formats log lines, tracebacks included, without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line without secrets."""
        return mask(super().format(record))
