"""What does a client hear that keeps as much as it may?"""

from __future__ import annotations

from typing import Any

import pytest

from tasks_app import sweeping
from tests.integration.tasks_app.api.calls import GOOD_CSV, Caller, assert_error

WORDS = {
    "PISTON_MAX_TASKS_PER_ACCOUNT": (429, "tasks_per_account", "has as many tasks as it may have"),
    "PISTON_MAX_STORED_BYTES_PER_ACCOUNT": (413, "stored_bytes_per_account", "may not take more"),
}


@pytest.mark.parametrize("setting", WORDS)
def test_a_full_account_hears_which_limit_it_is_and_what_to_do(
    settings: Any, caller: Caller, setting: str
) -> None:
    status, limit, words = WORDS[setting]
    assert caller.put(GOOD_CSV).status_code == 201
    setattr(settings, setting, 1)

    answer = caller.put(GOOD_CSV)

    reason = answer.json()["data"]["reason"]
    said = {"message": "quota exceeded", "reason": reason, "limit": limit, "value": 1}
    assert_error(answer, status, "quota_exceeded", said)
    assert words in reason
    assert "remove tasks" in reason
    assert int(answer.headers["Retry-After"]) > 0


def test_removing_a_task_makes_room(settings: Any, caller: Caller) -> None:
    settings.PISTON_MAX_TASKS_PER_ACCOUNT = 1
    task_id = caller.put(GOOD_CSV).json()["data"]["_read_only"]["id"]
    assert caller.put(GOOD_CSV).status_code == 429

    caller.call("DELETE", f"/{task_id}")
    sweeping.sweep()

    assert caller.put(GOOD_CSV).status_code == 201
