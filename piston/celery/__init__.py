"""Celery, and what makes it survive all failures of its broker."""

from piston.celery.application import app

__all__ = ["app"]
