"""Searches tasks and events: a whole id through its index, other terms row by row."""

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
    """Keep the tasks with this beginning of an id, or this part of an account's or file's name."""
    if not term:
        return tasks
    if TASK_ID.fullmatch(term):
        return tasks.filter(pk=term)
    if ACCOUNT_ID.fullmatch(term):
        return tasks.filter(account=term)
    named = Account.objects.filter(name__icontains=term).values_list("pk", flat=True)
    found = Q(file_name__icontains=term) | Q(account__in=list(named[:MAX_ACCOUNTS]))
    if BEGINNING_OF_ID.fullmatch(term):
        found |= Q(pk__gte=term, pk__lt=f"{term}g")  # g sorts after every hexadecimal digit
    return tasks.filter(found)


def find_events(events: QuerySet[TaskEvent], term: str) -> QuerySet[TaskEvent]:
    """Keep the events with this id of a task, account or request, or this user name."""
    if not term:
        return events
    if TASK_ID.fullmatch(term):
        return events.filter(task_id=term)
    actors = [term, f"staff:{term}", f"account:{term}"]
    return events.filter(Q(account_id=term) | Q(request_id=term) | Q(actor__in=actors))
