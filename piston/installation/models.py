"""The single row that holds this installation's id; the first read creates it."""

from __future__ import annotations

import secrets

from django.db import models


def make_key() -> str:
    """Return an id that no other installation has."""
    return secrets.token_hex(8)


class Installation(models.Model):
    """This installation. The table has one row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    key = models.CharField(max_length=16, default=make_key, help_text="Its queues carry this.")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(id=1), name="installation_is_one"),
        ]

    def __str__(self) -> str:
        return self.key
