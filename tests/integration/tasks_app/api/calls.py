"""Calls the API as one account, through Django's client."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from django.test import Client

from piston.accounts.models import Account
from tests.factories import make_client

GOOD_CSV = b"name,do\nAda,\nBob,fail\n"
MISSING_ID = "0" * 30
JSON = "application/json"


class Caller:
    """An account that uses the API; by default on its own tasks."""

    def __init__(self, account: Account, *, acts_on: Account | None = None) -> None:
        self.account = account
        self.client: Client = make_client(account)
        self.tasks = f"/v2/accounts/{(acts_on or account).pk}/tasks"

    def call(self, method: str, path: str = "", **options: Any) -> Any:
        """Call something below /tasks: `path` is "", "?…" or "/ID…"."""
        return self.client.generic(method, f"{self.tasks}{path}", **options)

    def get(self, path: str = "", **headers: str) -> Any:
        """GET with headers: `accept="text/csv"`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.get(f"{self.tasks}{path}", headers=named)

    def put(
        self,
        body: bytes | str = b"",
        content_type: str = "text/csv",
        *,
        category: str = "trial",
        action: str = "check",
        headers: dict[str, str] | None = None,
        **query: str,
    ) -> Any:
        """PUT a body as a new task."""
        named = {"category": category, "action": action, **query}
        return self.send(f"{self.tasks}?{urlencode(named)}", content_type, headers, data=body)

    def send(
        self, path: str, content_type: str, headers: dict[str, str] | None = None, **more: Any
    ) -> Any:
        """PUT with exactly this content type; `more` are options and WSGI's variables."""
        return self.client.generic(
            "PUT", path, CONTENT_TYPE=content_type, headers=headers or {}, **more
        )

    def put_json(self, document: Any, **query: str) -> Any:
        """PUT a JSON body as a new task."""
        return self.put(json.dumps(document), JSON, **query)


def shown(response: Any, status: int = 200) -> dict[str, Any]:
    """Return the task in an answer."""
    assert response.status_code == status, response.content
    task: dict[str, Any] = response.json()["data"]["_read_only"]
    return task


def assert_error(response: Any, status: int, message: str, data: Any) -> None:
    """Check an error against the specification."""
    assert response.headers["Content-Type"] == JSON
    body = response.json()
    assert (response.status_code, body["error"]) == (status, str(status)), body
    assert (body["status"], body["message"], body["data"]) == ("error", message, data)
    assert body["request_id"] == response.headers["X-Request-Id"]


def assert_faulty(response: Any, words: str) -> None:
    """Check that it is a 400 whose reason holds these words."""
    assert response.status_code == 400, response.content
    body = response.json()
    assert body["message"] == "faulty_request"
    assert words in body["data"]["reason"]


def cause(task_id: str, **more: str) -> dict[str, str]:
    """Return the data of `bad_identifier`."""
    return {"cause": task_id, "message": "bad identifier", **more}
