"""Settles rows whose outcome is unknown: people decide, and workers carry it out (ADR 13)."""
