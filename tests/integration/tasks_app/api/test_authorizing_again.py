"""What happens to an upload if its client loses its rights while the body arrives?"""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from piston.accounts.models import Account, ApiKey, Token
from piston.accounts.signing_in import purge_expired_tokens
from tasks_app.models import Task, TaskCSV, TaskEvent
from tests.factories import AccountFactory
from tests.integration.tasks_app.api.calls import GOOD_CSV, JSON, Caller, shown

PAST = timezone.now() - timedelta(days=1)


class Eventful(io.BytesIO):
    """A body that calls a function at its first read."""

    def __init__(self, content: bytes, happen: Callable[[], object]) -> None:
        super().__init__(content)
        self.happen = happen

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() == 0:
            self.happen()
        return super().read(size)


def upload(
    caller: Caller,
    happen: Callable[[], object],
    content: bytes = GOOD_CSV,
    *,
    content_type: str = "text/csv",
    action: str = "check",
) -> Any:
    body: dict[str, Any] = {
        "CONTENT_LENGTH": str(len(content)),
        "wsgi.input": Eventful(content, happen),
    }
    return caller.send(f"{caller.tasks}?category=trial&action={action}", content_type, **body)


def revoke_token() -> None:
    Token.objects.revoke()


def revoke_key() -> None:
    ApiKey.objects.revoke()


def disable_account() -> None:
    Account.objects.update(is_enabled=False)


def expire_token() -> None:
    Token.objects.update(created_at=PAST - timedelta(hours=1), expires_at=PAST)


def purge_token() -> None:
    expire_token()
    assert purge_expired_tokens() == 1


@pytest.mark.parametrize("lose", [revoke_token, revoke_key, disable_account])
@pytest.mark.parametrize(
    ("content", "content_type", "action"),
    [
        (GOOD_CSV, "text/csv", "check"),
        (b'{"data": {"records": [{"name": "Ada", "do": ""}]}}', JSON, "check"),
        (b'{"data": {}}', JSON, "count"),
    ],
)
def test_an_upload_without_rights_at_its_end_leaves_nothing(
    caller: Caller, lose: Callable[[], object], content: bytes, content_type: str, action: str
) -> None:
    response = upload(caller, lose, content, content_type=content_type, action=action)

    assert (response.status_code, response.json()["message"]) == (401, "invalid_credentials")
    for model in (Task, TaskCSV, TaskEvent):
        assert not model.objects.exists()


def test_an_account_that_is_moved_away_meanwhile_takes_no_upload_of_its_old_parent(
    account: Account, caller: Caller
) -> None:
    child = AccountFactory(parent=account)

    response = upload(Caller(account, acts_on=child), lambda: child.move_to(None))

    assert (response.status_code, response.json()["message"]) == (403, "forbidden")
    assert not Task.objects.exists()


@pytest.mark.parametrize("happen", [expire_token, purge_token])
def test_a_token_that_expires_meanwhile_was_good_for_this_upload(
    caller: Caller, happen: Callable[[], object]
) -> None:
    shown(upload(caller, happen), 201)
