"""Formats numbers, times and untrusted text for the admin pages."""

from __future__ import annotations

from datetime import datetime

from piston.plurals import plural

NOTHING = "-"


def show_text(text: str | None) -> str:
    """Return a client's text with its invisible characters escaped.

    Line breaks, and characters that reverse the writing direction, become escapes, so that no name
    can imitate another. The result is still plain text: escape it for HTML.
    """
    if not text:
        return NOTHING
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def show_time(moment: datetime | None) -> str:
    """Return a moment to the second, in UTC."""
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else NOTHING


def show_count(count: int | None) -> str:
    """Return a number with commas between thousands."""
    return NOTHING if count is None else f"{count:,}"


def show_bytes(count: int) -> str:
    """Return a size in bytes, with commas between thousands."""
    return f"{count:,} {plural('byte', count)}"


def show_seconds(seconds: float | None) -> str:
    """Return a duration: 0.25 s, 12.5 s, 3 min 20 s, 2 h 05 min."""
    if seconds is None:
        return NOTHING
    if seconds < 59.95:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes:02} min"
