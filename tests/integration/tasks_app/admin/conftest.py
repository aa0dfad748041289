"""The users who sign in to the admin in these tests."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from categories import registry
from categories.registry import refreshing

StaffClient = Callable[..., Client]


@pytest.fixture
def superuser(db: None) -> Client:
    """A browser of "root", who may do everything."""
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


@pytest.fixture
def staff(db: None) -> StaffClient:
    """Sign "clerk" in, with just these permissions: `staff("tasks_app.view_task")`."""

    def sign_in(*names: str) -> Client:
        user = User.objects.create_user("clerk", is_staff=True)
        for name in names:
            app_label, codename = name.split(".")
            permission = Permission.objects.get(
                content_type__app_label=app_label, codename=codename
            )
            user.user_permissions.add(permission)
        client = Client()
        client.force_login(user)
        return client

    return sign_in


@pytest.fixture
def quiet_registry(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the registry read the database now, so that no test counts that query."""
    monkeypatch.setattr(refreshing, "REFRESH_SECONDS", float("inf"))
    registry.all_entries()
