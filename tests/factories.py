"""How does a test get valid rows?"""

import hashlib
from datetime import datetime
from typing import Any

import factory
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client
from django.utils import timezone
from factory.django import DjangoModelFactory

from categories.number_management.category import NumberManagement
from piston.accounts.models import Account, ApiKey, Token
from tasks_app.models import CSVName, Part, Segment, Task, TaskCSV
from tasks_app.states import FINAL, Ending, TaskStatus

ENDINGS = {  # how a task came to the status that it ended with by itself
    TaskStatus.SUCCESS: Ending.COMPLETED,
    TaskStatus.FAILURE: Ending.COMPLETED,
    TaskStatus.PARTIAL: Ending.COMPLETED,
    TaskStatus.INTERNAL_ERROR: Ending.BROKEN,
}


class AccountFactory(DjangoModelFactory[Account]):
    """A root account; `parent=` puts it below another one."""

    class Meta:
        model = Account

    name = factory.Sequence(lambda n: f"Account {n}")


def make_api_key(account: Account, **changes: Any) -> tuple[ApiKey, str]:
    """Return an API key of `account`, and its secret."""
    key, secret = ApiKey.objects.issue(account)
    if changes:
        ApiKey.objects.filter(pk=key.pk).update(**changes)
        key.refresh_from_db()
    return key, secret


def make_token(account: Account, **changes: Any) -> str:
    """Return the secret of a token that speaks for `account`: what X-Auth-Token carries."""
    key, _ = make_api_key(account)
    token, secret = Token.objects.issue(key, timezone.now())
    if changes:
        Token.objects.filter(pk=token.pk).update(**changes)
    return secret


def make_client(account: Account | None = None, **settings: Any) -> Client:
    """Return an HTTP client that carries a token of `account`, or none."""
    headers = {"X-Auth-Token": make_token(account)} if account else None
    return Client(headers=headers, **settings)


def now_if(condition: bool) -> datetime | None:
    """Return this moment, or None when there was none."""
    return timezone.now() if condition else None


class TaskFactory(DjangoModelFactory[Task]):
    """A task in any `status=`, with the times, counts and ending that fit; without files."""

    class Meta:
        model = Task

    account = factory.SubFactory(AccountFactory)
    auth_account = factory.SelfAttribute("account")
    category = "number_management"
    action = "add"
    category_version = factory.LazyAttribute(
        lambda task: NumberManagement.version if task.category == NumberManagement.name else "1"
    )
    status = TaskStatus.PENDING
    total_count = 10
    started_at = factory.LazyAttribute(
        lambda task: now_if(task.status in FINAL | {TaskStatus.EXECUTING})
    )
    ended_at = factory.LazyAttribute(lambda task: task.started_at if task.status in FINAL else None)
    ending = factory.LazyAttribute(lambda task: ENDINGS.get(task.status))
    is_assembled = factory.LazyAttribute(lambda task: task.status in ENDINGS)

    @factory.lazy_attribute
    def success_count(self) -> int:
        """All of a success, half of a partial task, else none."""
        total: int = self.total_count or 0
        return {TaskStatus.SUCCESS: total, TaskStatus.PARTIAL: total // 2}.get(self.status, 0)

    @factory.lazy_attribute
    def failure_count(self) -> int:
        """All of a failure, the other half of a partial task, else none."""
        total: int = self.total_count or 0
        failed = {TaskStatus.FAILURE: total, TaskStatus.PARTIAL: total - self.success_count}
        return failed.get(self.status, 0)


class TaskCSVFactory(DjangoModelFactory[TaskCSV]):
    """A file of a task, in storage as well: `content=` are its bytes."""

    class Meta:
        model = TaskCSV

    class Params:
        content = b"number\n+14157215234\n"

    task = factory.SubFactory(TaskFactory)
    name = CSVName.INPUT
    size_bytes = factory.LazyAttribute(lambda csv: len(csv.content))
    sha256 = factory.LazyAttribute(lambda csv: hashlib.sha256(csv.content).hexdigest())
    row_count = factory.LazyAttribute(lambda csv: len(csv.content.splitlines()) - 1)
    header_bytes = factory.LazyAttribute(lambda csv: csv.content.split(b"\n", 1)[0])
    header = factory.LazyAttribute(lambda csv: csv.header_bytes.decode().split(","))

    @factory.lazy_attribute
    def key(self) -> str:
        """Store the content under a name of its own."""
        name = f"{self.task.pk[:2]}/{self.task.pk}/{self.name}"
        return default_storage.save(name, ContentFile(self.content))


class SegmentFactory(DjangoModelFactory[Segment]):
    """The one segment of a task, from the first row to the last; nobody holds it."""

    class Meta:
        model = Segment

    task = factory.SubFactory(TaskFactory)
    index = 0
    end_row = factory.SelfAttribute("task.total_count")
    end_offset = factory.LazyAttribute(lambda segment: None if segment.end_row is None else 1_000)
    cursor_row = factory.SelfAttribute("start_row")
    start_row = 0


class PartFactory(DjangoModelFactory[Part]):
    """What a batch of one good row left: `output=` are its lines for out.csv."""

    class Meta:
        model = Part

    task = factory.SubFactory(TaskFactory)
    segment_index = 0
    number = factory.Sequence(int)
    first_row = factory.LazyAttribute(lambda part: part.number + 1)
    row_count = 1
    failure_count = 0
    success_count = factory.LazyAttribute(lambda part: part.row_count - part.failure_count)
    output = b"+14157215234\n"
    output_bytes = factory.LazyAttribute(lambda part: len(part.output))
    failed = b""
    failed_bytes = factory.LazyAttribute(lambda part: len(part.failed))
