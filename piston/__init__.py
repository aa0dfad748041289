"""The platform: settings and wiring; no word of the domain is defined here."""

from piston.celery import app as celery_app

__all__ = ["celery_app"]
