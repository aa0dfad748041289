"""A client of the HTTP API, for the demo."""

from __future__ import annotations

import json
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen


class RequestFailed(Exception):
    """The server could not be reached, or refused the request; the message holds its answer."""


class Client:
    """The HTTP API of a server, used with the API key of one account."""

    def __init__(self, url: str, account: str, api_key: str) -> None:
        self.url = url
        self.account = account
        self.tasks = f"{url}/v2/accounts/{account}/tasks"
        body = json.dumps({"data": {"api_key": api_key}}).encode()
        answer = json.loads(request("PUT", f"{url}/v2/api_auth", body, "application/json"))
        self.token: str = answer["auth_token"]

    def create(self, category: str, action: str, name: str, content: bytes) -> dict[str, Any]:
        """Create a task from a CSV file."""
        address = f"{self.tasks}?category={category}&action={action}&file_name={name}"
        return self.read_task("PUT", address, content)

    def start(self, task_id: str) -> dict[str, Any]:
        """Start a task."""
        return self.read_task("PATCH", f"{self.tasks}/{task_id}")

    def task(self, task_id: str) -> dict[str, Any]:
        """Return the current state of a task."""
        return self.read_task("GET", f"{self.tasks}/{task_id}")

    def file(self, task_id: str, name: str) -> str:
        """Return one of the files of a task."""
        address = f"{self.tasks}/{task_id}?csv_name={name}"
        return request("GET", address, token=self.token, accept="text/csv").decode()

    def read_task(self, method: str, address: str, body: bytes | None = None) -> dict[str, Any]:
        """Send a request; return the task in the answer."""
        answer = json.loads(request(method, address, body, "text/csv", token=self.token))
        task: dict[str, Any] = answer["data"]["_read_only"]
        return task


def request(
    method: str,
    address: str,
    body: bytes | None = None,
    content_type: str = "",
    *,
    token: str = "",
    accept: str = "application/json",
) -> bytes:
    """Send one request and return the body of the answer, or raise RequestFailed."""
    headers = {"Accept": accept}
    headers |= {"Content-Type": content_type} if body else {}
    headers |= {"X-Auth-Token": token} if token else {}
    try:
        with urlopen(Request(address, body, headers, method=method), timeout=60) as answer:  # noqa: S310
            content: bytes = answer.read()
            return content
    except URLError as error:
        said = error.read().decode(errors="replace") if hasattr(error, "read") else error
        raise RequestFailed(f"{method} {address}: {said}") from error
