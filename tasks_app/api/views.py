"""The API's views of tasks: each method parses, calls one function, and answers."""

from __future__ import annotations

import re
from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from categories import registry
from piston.accounts.models import Account
from piston.database.compiled_queries import CompiledSelect, Slot
from piston.database.schema import schema
from piston.http.envelope import Enveloped, EnvelopeRenderer, hash_revision
from piston.http.errors import InvalidRequest, NotFound
from piston.http.views import Endpoint
from tasks_app import lifecycle
from tasks_app.api import catalogue, downloads, listing, uploads
from tasks_app.api.renderers import CSVRenderer
from tasks_app.api.serializers import read_only, represent
from tasks_app.creating import Order
from tasks_app.errors import TaskNotFound
from tasks_app.events import Actor
from tasks_app.models import CSVName, Task

TASKS = CompiledSelect(
    lambda: Task.objects.visible().filter(account=Slot.text("account_id"), pk=Slot.text("task_id"))
)


class TaskEndpoint(Endpoint):
    """Base of the endpoints of tasks; `self.account` owns the tasks."""

    actor: Account

    @property
    def event_actor(self) -> Actor:
        """Who is acting, and in which request, as events record it."""
        return Actor(f"account:{self.actor.pk}", getattr(self.request, "request_id", ""))

    def find_task(self, task_id: str) -> Task:
        """Return a task of the account; another account's task looks like a missing one."""
        # only a well-formed id reaches the database: PostgreSQL refuses NUL characters
        if re.fullmatch("[0-9a-f]{30}", task_id):
            for task in TASKS.fetch(account_id=self.account.pk, task_id=task_id):
                return task
        raise TaskNotFound(task_id)


class AccountTasks(TaskEndpoint):
    """`/v2/accounts/{ACCOUNT_ID}/tasks`: list an account's tasks, or add one."""

    def get(self, request: Request, **_: str) -> HttpResponseBase:
        """Answer with a page of tasks."""
        page = listing.list_tasks(self.account, request.query_params)
        tasks = [represent(task) for task in page.tasks]
        return Enveloped(
            tasks,
            revision=hash_revision([tasks, page.next_start_key]),
            page_size=len(tasks),
            start_key=page.start_key,
            next_start_key=page.next_start_key,
        )

    def put(self, request: Request, **_: str) -> Enveloped:
        """Create a task; answer 201."""
        schema.require()
        task = uploads.submit(request, self.read_order(request))
        return Enveloped(read_only(task), status=201)

    def read_order(self, request: Request) -> Order:
        """Return the order in the query, with all checks that need no body."""
        query = request.query_params
        names = query.get("category", ""), query.get("action", "")
        if not all(names):
            reason = "the query has to name a category and an action"
            raise InvalidRequest({"message": "invalid request", "reason": reason})
        category, action = registry.get_action(*names, for_new_task=True)
        file_name = uploads.read_file_name(query.get("file_name"))
        return Order(
            self.account,
            self.actor,
            category,
            action,
            self.event_actor,
            file_name,
            self.authorize_again,
        )


class SystemTasks(AccountTasks):
    """`/v2/tasks`: a public list of the actions, and the super-duper admin's own tasks."""

    public_methods = frozenset({"GET", "HEAD"})
    renderer_classes = [EnvelopeRenderer, CSVRenderer]

    def get(self, request: Request, **_: str) -> HttpResponseBase:
        """Answer with the help, or with the CSV template if the client asks for CSV."""
        names = (request.query_params.get("category", ""), request.query_params.get("action", ""))
        if request.accepted_renderer.format == CSVRenderer.format:
            template = catalogue.template(*names)
            if template is not None:
                return HttpResponse(template, content_type=CSVRenderer.media_type)
        return Enveloped({"tasks": catalogue.describe(*names)})


class OneTask(TaskEndpoint):
    """`…/tasks/{TASK_ID}`: look at a task, fetch its files, start it, remove it."""

    renderer_classes = [EnvelopeRenderer, CSVRenderer]

    def get(self, request: Request, task_id: str, **_: str) -> HttpResponseBase:
        """Answer with the task, or with one of its files to a client that asked for CSV."""
        task = self.find_task(task_id)
        if request.accepted_renderer.format != CSVRenderer.format:
            return Enveloped(read_only(task))
        name = request.query_params.get("csv_name", CSVName.OUTPUT.value)
        return downloads.send_file(request, task, name, self.event_actor)

    def patch(self, request: Request, task_id: str, **_: str) -> Enveloped:
        """Start the task."""
        task = self.find_task(task_id)
        lifecycle.start(task, self.event_actor)
        return Enveloped(read_only(task))

    def delete(self, request: Request, task_id: str, **_: str) -> Enveloped:
        """Remove the task; answer with its last state."""
        task = self.find_task(task_id)
        before = read_only(task)
        lifecycle.remove(task, self.event_actor)
        return Enveloped(before)

    def get_renderers(self) -> list[BaseRenderer]:
        """Prefer CSV if the client names a file but no format."""
        renderers = super().get_renderers()
        return renderers[::-1] if "csv_name" in self.request.GET else renderers

    def handle_exception(self, error: Exception) -> Any:
        """Name a missing task in a list, where the specification does (decisions §7)."""
        if isinstance(error, TaskNotFound) and self.names_missing_in_list():
            error = NotFound(error.task_id)
        return super().handle_exception(error)

    def names_missing_in_list(self) -> bool:
        """Tell whether this call reports a missing task as `["ID"]`, not as a `cause`."""
        if self.request.method in {"GET", "HEAD"}:
            return self.request.accepted_renderer.format != CSVRenderer.format
        return self.request.method == "DELETE"


class TaskStop(TaskEndpoint):
    """`…/tasks/{TASK_ID}/stop`: stop a task."""

    page_size = 1  # on every answer, as the specification shows

    def patch(self, request: Request, task_id: str, **_: str) -> Enveloped:
        """Stop the task."""
        task = self.find_task(task_id)
        lifecycle.stop(task, self.event_actor)
        return Enveloped(read_only(task), page_size=self.page_size)


class TaskRetry(TaskEndpoint):
    """`…/tasks/{TASK_ID}/retry`: let a broken task continue where it ended."""

    def patch(self, request: Request, task_id: str, **_: str) -> Enveloped:
        """Retry the task."""
        task = self.find_task(task_id)
        lifecycle.retry(task, self.event_actor)
        return Enveloped(read_only(task))


class TaskFile(TaskEndpoint):
    """`…/tasks/{TASK_ID}/input` and `/output`: the files, under their old addresses."""

    csv_name = CSVName.INPUT
    renderer_classes = [CSVRenderer]

    def get(self, request: Request, task_id: str, **_: str) -> HttpResponseBase:
        """Answer with the file."""
        task = self.find_task(task_id)
        return downloads.send_file(request, task, self.csv_name.value, self.event_actor)

    def perform_content_negotiation(
        self, request: Request, force: bool = False
    ) -> tuple[BaseRenderer, str]:
        """Answer CSV whatever Accept says; errors still come in the envelope."""
        return CSVRenderer(), CSVRenderer.media_type
