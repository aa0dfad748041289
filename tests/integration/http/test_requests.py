import json
from typing import Any

import pytest
from django.test import RequestFactory

from piston.wsgi import application

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.integration.http.examples")]


@pytest.mark.parametrize("parameter", ["charset*=UTF-8''%00", "charset*=no''%e9", "a*=idna''%e9"])
@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/v2/things", 200), ("PUT", "/v2/api_auth", 400)]
)
def test_a_content_type_that_cannot_be_read_counts_as_none(
    method: str, path: str, status: int, parameter: str
) -> None:
    environ = RequestFactory().generic(method, path, b"{}").environ
    environ["CONTENT_TYPE"] = f"application/json; {parameter}"
    answers = []

    def start(line: str, headers: list[tuple[str, str]], *_: Any) -> None:
        answers.append((line[:3], dict(headers)["Content-Type"]))

    content = b"".join(application(environ, start))

    assert answers == [(str(status), "application/json")]
    assert json.loads(content)["request_id"]
