"""Reads typed values from the environment; a wrong one raises an error with a sentence."""

from __future__ import annotations

import os
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

names_read: set[str] = set()  # the platform's own variables


def read_text(name: str, default: str | None = None) -> str:
    """Return the variable `name`; without a default, it must be set and not empty."""
    names_read.add(name)
    value = os.environ.get(name, "").strip()
    if value:
        return value
    if default is None:
        raise ImproperlyConfigured(
            f"{name} is not set. Set it in the environment; .env.example says what it is for."
        )
    return default


def read_integer(name: str, default: int, *, minimum: int = 0, maximum: int | None = None) -> int:
    """Return the variable `name` as a whole number from `minimum` to `maximum` (None: no limit)."""
    text = read_text(name, str(default))
    try:
        number = int(text)
    except ValueError:
        number = minimum - 1
    if number < minimum or (maximum is not None and number > maximum):
        wanted = f"of at least {minimum}" if maximum is None else f"from {minimum} to {maximum}"
        raise ImproperlyConfigured(f"{name} must be a whole number {wanted}, but it is {text!r}.")
    return number


def read_boolean(name: str, *, default: bool) -> bool:
    """Return the variable `name` as a truth value: true/false, yes/no, on/off, 1/0."""
    text = read_text(name, str(default)).lower()
    if text in {"true", "yes", "on", "1"}:
        return True
    if text in {"false", "no", "off", "0"}:
        return False
    raise ImproperlyConfigured(f"{name} must be true or false, but it is {text!r}.")


def read_list(name: str, default: Sequence[str] = ()) -> list[str]:
    """Return the comma-separated variable `name` as a list of non-empty words."""
    words = read_text(name, ",".join(default)).split(",")
    return [word.strip() for word in words if word.strip()]


def read_folder(name: str, default: Path) -> Path:
    """Return the variable `name` as an absolute path; the folder need not exist yet."""
    return Path(read_text(name, str(default))).expanduser().resolve()


def is_loopback(address: str) -> bool:
    """Tell whether only this machine can reach a server that listens on the address."""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def in_brackets(address: str) -> str:
    """Return the address as it is written in a URL or a Host header (RFC 3986 §3.2.2)."""
    return f"[{address}]" if ":" in address and not address.startswith("[") else address
