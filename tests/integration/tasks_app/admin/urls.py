"""The URLs of the admin's pages."""

from django.urls import reverse

from tasks_app.models import Task

LIST = reverse("admin:tasks_app_task_changelist")
EVENTS = reverse("admin:tasks_app_taskevent_changelist")
EFFECTS = reverse("admin:tasks_app_effect_changelist")
SETTLE = reverse("admin:tasks_app_effect_settle")
MESSAGES = reverse("admin:django_celery_results_taskresult_changelist")


def page(task: Task) -> str:
    """Return the address of a task's page."""
    return reverse("admin:tasks_app_task_change", args=[task.pk])


def step(task: Task, name: str) -> str:
    """Return the address of a button on a task's page: start, stop, remove."""
    return reverse("admin:tasks_app_task_step", args=[task.pk, name])


def file(task: Task, name: str) -> str:
    """Return the address of a file of a task."""
    return reverse("admin:tasks_app_task_file", args=[task.pk, name])
