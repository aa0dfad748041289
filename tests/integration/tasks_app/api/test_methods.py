from typing import Any

import pytest
from django.test import Client

from tests.factories import TaskCSVFactory
from tests.integration.tasks_app.api.calls import Caller, assert_error

METHODS = {
    "/v2/tasks": {"GET", "PUT"},
    "/v2/accounts/{account}/tasks": {"GET", "PUT"},
    "/v2/accounts/{account}/tasks/{task}": {"GET", "PATCH", "DELETE"},
    "/v2/accounts/{account}/tasks/{task}/stop": {"PATCH"},
    "/v2/accounts/{account}/tasks/{task}/retry": {"PATCH"},
    "/v2/accounts/{account}/tasks/{task}/input": {"GET"},
    "/v2/accounts/{account}/tasks/{task}/output": {"GET"},
}
ALL = {"GET", "PUT", "PATCH", "DELETE", "POST", "TRACE"}


def fill(caller: Caller, path: str) -> str:
    csv = TaskCSVFactory.create(task__account=caller.account)
    return path.format(account=caller.account.pk, task=csv.task.pk)


@pytest.mark.parametrize(
    ("path", "method"),
    [(path, method) for path, known in METHODS.items() for method in sorted(ALL - known)],
)
def test_other_methods_are_not_allowed(caller: Caller, path: str, method: str) -> None:
    response = caller.client.generic(method, fill(caller, path))

    assert_error(response, 405, "method_not_allowed", {"message": "method not allowed"})
    assert METHODS[path] <= set(response.headers["Allow"].split(", "))
    assert method not in response.headers["Allow"]


@pytest.mark.parametrize("path", METHODS)
def test_options_say_which_methods_there_are(client: Client, caller: Caller, path: str) -> None:
    response = client.options(fill(caller, path))

    allowed = set(response.headers["Allow"].split(", "))
    assert response.status_code == 200
    assert allowed - {"HEAD"} == METHODS[path] | {"OPTIONS"}
    assert ("HEAD" in allowed) == ("GET" in METHODS[path])


@pytest.mark.parametrize("path", METHODS)
def test_a_preflight_is_answered(client: Client, caller: Caller, path: str) -> None:
    response = client.options(
        fill(caller, path),
        headers={
            "Origin": "https://example.com",
            "Access-Control-Request-Method": "PATCH",
            "Access-Control-Request-Headers": "x-auth-token",
        },
    )

    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "PATCH" in response.headers["Access-Control-Allow-Methods"]


@pytest.mark.parametrize(
    "path", [path for path, methods in METHODS.items() if "GET" in methods and "out" not in path]
)
def test_head_has_the_headers_of_get_and_no_content(caller: Caller, path: str) -> None:
    filled = fill(caller, path)
    get = caller.client.get(filled)
    size = len(get.getvalue() if get.streaming else get.content)

    head = caller.client.head(filled)

    assert (head.status_code, getattr(head, "content", b"")) == (200, b"")
    for name in ("Content-Type", "ETag"):
        assert head.headers[name] == get.headers[name]
    assert int(head.headers["Content-Length"]) == size


@pytest.mark.parametrize("path", METHODS)
def test_a_slash_at_the_end_makes_no_difference(caller: Caller, path: str) -> None:
    filled = fill(caller, path)
    method = "GET" if "GET" in METHODS[path] else "PATCH"
    with_and_without: list[Any] = [
        caller.client.generic(method, filled + slash) for slash in ("", "/")
    ]

    assert len({response.status_code for response in with_and_without}) == 1


@pytest.mark.parametrize(
    "path",
    [
        "/v2/tasks/{task}/other",
        "/v2/tasks//",
        "/v2/accounts/{account}",
        "/v2/accounts/{account}/tasks/{task}/input/x",
        "/v2/accounts//tasks",
        "/v2/accounts/{account}/tasks%0A",
    ],
)
def test_other_paths_are_not_found(caller: Caller, path: str) -> None:
    response = caller.client.get(fill(caller, path))

    assert_error(response, 404, "not_found", {"message": "not found"})


def test_requests_are_throttled(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    rates = {"requests": "1/minute"}
    monkeypatch.setattr("piston.http.throttling.api_settings.DEFAULT_THROTTLE_RATES", rates)
    paths = [fill(caller, path) for path in METHODS]
    caller.get()

    for path in paths:
        response = caller.client.generic("PATCH", path)

        assert response.status_code == 429
        assert response.json()["message"] == "too_many_requests"
        assert int(response.headers["Retry-After"]) > 0
