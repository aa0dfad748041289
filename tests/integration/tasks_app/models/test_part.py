"""Tests that adding parts fails like other queries, although it uses its own cursor."""

from __future__ import annotations

import pytest
from django.db import IntegrityError

from tasks_app.models import Part
from tests.factories import TaskFactory

pytestmark = pytest.mark.django_db


def test_errors_of_the_database_become_errors_of_django() -> None:
    task = TaskFactory()
    place = {"task_id": task.pk, "segment_index": 0, "number": 0}
    rows = {"first_row": 1, "row_count": 1, "success_count": 1, "failure_count": 0}
    files = {"output": b"a\n", "output_bytes": 2, "failed": b"", "failed_bytes": 0}
    Part.objects.add(Part(**place, **rows, **files))

    with pytest.raises(IntegrityError):  # code that handles lost connections catches only Django's
        Part.objects.add(Part(**place, **rows, **files))
