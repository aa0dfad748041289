"""Makes API keys and tokens, and recognises them by a stored hash.

They are 256 random bits, too many to try. So a fast hash is as safe as a slow one.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

SECRET_LENGTH = 64  # hex characters
PREFIX_LENGTH = 8  # characters of an API key that are stored, for people to recognise it


def make_secret() -> str:
    """Return 64 random hex characters."""
    return secrets.token_hex(SECRET_LENGTH // 2)


def hash_secret(secret: str) -> str:
    """Return the SHA-256 of `secret`, 64 hex characters: the only form that is stored."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def is_secret_of(stored_hash: str, secret: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(stored_hash, hash_secret(secret))
