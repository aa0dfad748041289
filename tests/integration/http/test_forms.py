"""Can a client that has not signed in make the server read, or store, a large form?"""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from piston.http.forms import MAX_FORM_BYTES

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["/admin/login/", "/healthz", "/", "/admin/tasks_app/task/"])
def test_a_large_form_is_refused_before_it_is_read(path: str) -> None:
    client = Client(enforce_csrf_checks=True)
    large = SimpleUploadedFile("x", b"x" * MAX_FORM_BYTES)

    response = client.post(path, {"file": large})

    assert response.status_code == 413
    assert response.content == b"413: a form may have 65536 bytes.\n"
    assert "file" not in response.wsgi_request.__dict__.get("_files", {})


def test_a_form_of_the_usual_size_is_read() -> None:
    response = Client().post("/admin/login/", {"username": "x" * 10_000, "password": "y"})

    assert response.status_code == 200


def test_uploads_of_the_api_are_as_large_as_they_may_be() -> None:
    response = Client().put("/v2/tasks", b"x" * (MAX_FORM_BYTES + 1), content_type="text/csv")

    assert response.status_code == 401
