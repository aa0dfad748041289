"""The stored state of categories: the registered ones, and the runs of their periodic jobs."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class Source(models.TextChoices):
    """Where a category comes from."""

    BUILT_IN = "built_in", "ships with the product"  # PISTON_CATEGORIES
    PACKAGE = "package", "installed package"  # the entry-point group piston.categories
    REGISTERED = "registered", "registered by command"


class RegisteredCategory(models.Model):
    """A category that this installation knows; all processes notice a change within seconds."""

    name = models.CharField(max_length=100, unique=True)
    dotted_path = models.CharField(max_length=300, help_text="package.module.Class")
    version = models.CharField(max_length=50)
    source = models.CharField(max_length=20, choices=Source, default=Source.REGISTERED)
    is_enabled = models.BooleanField(
        default=True, help_text="A disabled category takes no new tasks; running ones go on."
    )
    registered_at = models.DateTimeField(default=timezone.now)
    registered_by = models.CharField(max_length=150, null=True, help_text="Empty: the migration.")
    checked_at = models.DateTimeField(help_text="When it was last imported and found right.")

    class Meta:
        verbose_name_plural = "registered categories"
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(name="") & ~models.Q(version=""),
                name="category_has_name_and_version",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class PeriodicRun(models.Model):
    """The last due time for which a periodic job ran."""

    category = models.CharField(max_length=100)
    job = models.CharField(max_length=100)
    last_due_at = models.DateTimeField(help_text="The beginning of the minute, hour or day (UTC).")
    last_run_at = models.DateTimeField(null=True, help_text="Empty: not yet run.")
    last_run_seconds = models.FloatField(null=True)
    last_error = models.TextField(blank=True, default="", help_text="Empty: the last run was good.")

    class Meta:
        ordering = ["category", "job"]
        constraints = [
            models.UniqueConstraint(fields=["category", "job"], name="periodic_run_once"),
        ]

    def __str__(self) -> str:
        return f"{self.category} / {self.job}"
