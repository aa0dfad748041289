"""How do messages travel? Celery, and what makes it outlive whatever its broker does."""

from piston.celery.application import app

__all__ = ["app"]
