"""Tests that workers know every message that is sent."""

import inspect

import pytest
from celery import current_app

from tasks_app.queue import dispatch


@pytest.mark.parametrize("name", dispatch.OF_TASKS)
def test_a_message_about_a_task_is_known_to_workers_and_begins_with_its_id(name: str) -> None:
    current_app.loader.import_default_modules()

    function = current_app.tasks[name].run

    assert next(iter(inspect.signature(function).parameters)) == "task_id"
