"""Lists an account's tasks: the newest first, filtered, page by page (decisions §8)."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Exists, OuterRef, Prefetch, Q
from django.http import QueryDict

from piston.accounts.models import Account
from piston.gregorian import UNIX_EPOCH, from_gregorian, to_gregorian
from piston.http.errors import FaultyRequest
from tasks_app.models import Effect, Task, TaskCSV
from tasks_app.models.task import TaskQuerySet
from tasks_app.states import TaskStatus

DEFAULT_PAGE_SIZE = 50  # tasks
MAX_PAGE_SIZE = 1_000
FILTERS = ("status", "category", "action")
STATUSES = [status.value for status in TaskStatus if status != TaskStatus.REMOVED]
FIRST_MOMENT = datetime.min.replace(tzinfo=UTC)
LAST_MOMENT = datetime.max.replace(tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class TaskPage:
    """The tasks of a page, its key, and the key of the next page; None on the last page."""

    tasks: Sequence[Task]
    start_key: str | None
    next_start_key: str | None


def list_tasks(account: Account, query: QueryDict) -> TaskPage:
    """Return the requested page, in two queries whatever its size.

    It has only the account's own tasks, not those of accounts below it. Raises FaultyRequest.
    """
    page_size = read_number(query, "page_size", default=DEFAULT_PAGE_SIZE)
    if not 1 <= page_size <= MAX_PAGE_SIZE:
        raise FaultyRequest(f"page_size has to be from 1 to {MAX_PAGE_SIZE}")
    start_key = query.get("start_key") or None
    condition = read_filters(query) & read_period(query)
    if start_key:
        condition &= from_place(start_key)
    tasks = list(select(account).filter(condition)[: page_size + 1])
    return TaskPage(
        tasks[:page_size],
        start_key or next((key_of(task) for task in tasks), None),
        next((key_of(task) for task in tasks[page_size:]), None),
    )


def select(account: Account) -> TaskQuerySet:
    """Return an account's tasks in the order of lists, with the names of their files."""
    names = Prefetch("csvs", TaskCSV.objects.only("task_id", "name", "faulty_at"))
    tasks = Task.objects.visible().filter(account=account)
    sent = Effect.objects.unrecorded().filter(task=OuterRef("pk"))
    tasks = tasks.annotate(has_sent_effect=Exists(sent))
    return tasks.order_by("-created_at", "-id").prefetch_related(names)


# ---- Places in the list --------------------------------------------------------------------------


def key_of(task: Task) -> str:
    """Return the opaque key of the page that begins with this task."""
    place = f"{(task.created_at - UNIX_EPOCH) // MICROSECOND}-{task.pk}"
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def from_place(key: str) -> Q:
    """Select tasks from a page's first task on, even if that task is gone. Raises FaultyRequest.

    Times within a microsecond, the resolution of the databases, count as equal. SQLite compares
    times as text, and its own clock writes milliseconds where Django writes microseconds.
    """
    try:
        place = base64.urlsafe_b64decode(key + "=" * (-len(key) % 4)).decode("ascii")
    except ValueError as error:
        raise FaultyRequest("start_key is not a key of this list") from error
    match = re.fullmatch("([0-9]{1,17})-([0-9a-f]{30})", place)
    if match is None:
        raise FaultyRequest("start_key is not a key of this list")
    created_at = UNIX_EPOCH + int(match[1]) * MICROSECOND
    is_older = Q(created_at__lte=created_at - MICROSECOND)
    return Q(created_at__lt=created_at + MICROSECOND) & (is_older | Q(id__lte=match[2]))


# ---- Filters -------------------------------------------------------------------------------------


def read_filters(query: QueryDict) -> Q:
    """Return the condition of filter_… and filter_not_…; raises FaultyRequest for unknown ones."""
    condition = Q()
    for parameter in query:
        if not parameter.startswith("filter_"):
            continue
        prefix = "filter_not_" if parameter.startswith("filter_not_") else "filter_"
        name = parameter.removeprefix(prefix)
        if name not in FILTERS:
            raise FaultyRequest(
                f"there is no {parameter}; there are filter_NAME and filter_not_NAME"
                f" with the names {', '.join(FILTERS)}"
            )
        texts = query.getlist(parameter)
        values = [value for text in texts for value in read_values(parameter, text)]
        is_wanted = prefix == "filter_"
        if name == "status":
            refuse_unknown_statuses(parameter, values)
            if not is_wanted:  # an index serves IN, but not NOT IN
                values, is_wanted = [each for each in STATUSES if each not in values], True
        any_of = Q(**{f"{name}__in": values})
        condition &= any_of if is_wanted else ~any_of
    return condition


def read_values(parameter: str, text: str) -> list[str]:
    """Return the values of a filter: one word, or a JSON list of words that match any."""
    values = [text]
    if text.lstrip().startswith("["):
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise FaultyRequest(f"{parameter} is not a JSON list: {error}") from error
    if not all(isinstance(value, str) and value.isprintable() for value in values):
        raise FaultyRequest(f"{parameter} has to be a word or a JSON list of words")
    return values


def refuse_unknown_statuses(parameter: str, values: Sequence[str]) -> None:
    """Raise FaultyRequest for a value that is no status visible to clients."""
    for value in values:
        if value not in STATUSES:
            raise FaultyRequest(f"{parameter}: {value!r} is none of {', '.join(STATUSES)}")


def read_period(query: QueryDict) -> Q:
    """Return the condition of created_from and created_to, both inclusive."""
    condition = Q()
    if "created_from" in query:
        condition &= Q(created_at__gte=nearest_moment(read_number(query, "created_from")))
    if "created_to" in query:
        condition &= Q(created_at__lt=nearest_moment(read_number(query, "created_to") + 1))
    return condition


def nearest_moment(seconds: int) -> datetime:
    """Return the moment, limited to the range of Python's calendar."""
    try:
        return from_gregorian(seconds)
    except OverflowError:
        return FIRST_MOMENT if seconds < to_gregorian(LAST_MOMENT) else LAST_MOMENT


def read_number(query: QueryDict, name: str, *, default: int | None = None) -> int:
    """Return a parameter that is a whole number, or raise FaultyRequest."""
    text = query.get(name, "" if default is None else str(default))
    if re.fullmatch("[0-9]{1,18}", text) is None:
        raise FaultyRequest(f"{name} has to be a whole number, not {text!r}")
    return int(text)
