"""The stored state of categories: registered ones, which processes have them, and their jobs."""

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
    unregistered_at = models.DateTimeField(
        null=True, help_text="Set: it is not used, although its package is installed."
    )

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


class RunningProcess(models.Model):
    """A process that serves requests or runs rows, and the plugins that it has loaded."""

    id = models.CharField(primary_key=True, max_length=32, help_text="Random, made at its start.")
    role = models.CharField(max_length=10, help_text="web or worker")
    node = models.CharField(max_length=200)
    process_id = models.PositiveIntegerField()
    process_space = models.CharField(
        max_length=300, help_text="Where the process id means this process: a host or container."
    )
    seen_at = models.DateTimeField(help_text="Its last heartbeat.")
    loaded = models.JSONField(default=dict, help_text="The version or the problem of each plugin.")

    class Meta:
        ordering = ["role", "node", "process_id"]
        verbose_name_plural = "running processes"

    def __str__(self) -> str:
        return f"{self.role} {self.node} process {self.process_id}"


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
