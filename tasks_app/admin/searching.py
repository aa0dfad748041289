"""How is a task found among a million? Whole ids in their index; anything else row by row."""

from __future__ import annotations

import re

from django.db.models import Q, QuerySet

from piston.accounts.models import Account
from tasks_app.admin.filters import MAX_ACCOUNTS
from tasks_app.models import Task, TaskEvent

TASK_ID = re.compile(r"[0-9a-f]{30}")
ACCOUNT_ID = re.compile(r"[0-9a-f]{32}")
BEGINNING_OF_ID = re.compile(r"[0-9a-f]{4,29}")


def find_tasks(tasks: QuerySet[Task], term: str) -> QuerySet[Task]:
    """Keep the tasks whose id begins so, or whose account or file has such a name."""
    if not term:
        return tasks
    if TASK_ID.fullmatch(term):
        return tasks.filter(pk=term)
    if ACCOUNT_ID.fullmatch(term):
        return tasks.filter(account=term)
    named = Account.objects.filter(name__icontains=term).values_list("pk", flat=True)
    found = Q(file_name__icontains=term) | Q(account__in=list(named[:MAX_ACCOUNTS]))
    if BEGINNING_OF_ID.fullmatch(term):
        found |= Q(pk__gte=term, pk__lt=f"{term}g")  # g: behind every hexadecimal digit
    return tasks.filter(found)


def find_events(events: QuerySet[TaskEvent], term: str) -> QuerySet[TaskEvent]:
    """Keep the events of the task, account, request or person of this whole id or name."""
    if not term:
        return events
    if TASK_ID.fullmatch(term):
        return events.filter(task_id=term)
    actors = [term, f"staff:{term}", f"account:{term}"]
    return events.filter(Q(account_id=term) | Q(request_id=term) | Q(actor__in=actors))
