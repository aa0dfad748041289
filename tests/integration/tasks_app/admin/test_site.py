import pytest
from django.test import Client
from django.urls import reverse

from tests.factories import TaskFactory
from tests.integration.tasks_app.admin import urls
from tests.integration.tasks_app.admin.conftest import StaffClient

PLACES = [reverse("admin:index"), urls.LIST, urls.EVENTS, urls.EFFECTS, urls.MESSAGES]


@pytest.mark.parametrize("place", PLACES)
def test_the_site_has_the_products_name(superuser: Client, place: str) -> None:
    page = superuser.get(place).content.decode()

    assert "Piston Tasks</title>" in page
    assert "Django admin" not in page


@pytest.mark.parametrize("place", PLACES)
def test_nobody_sees_anything_without_signing_in(db: None, client: Client, place: str) -> None:
    answer = client.get(place)

    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("admin:login"))


def test_nobody_sees_a_task_without_signing_in(db: None, client: Client) -> None:
    assert client.get(urls.page(TaskFactory())).status_code == 302


def test_whoever_may_view_tasks_sees_their_list(staff: StaffClient) -> None:
    task = TaskFactory()

    assert task.pk in staff("tasks_app.view_task").get(urls.LIST).content.decode()


@pytest.mark.parametrize("place", [urls.LIST, urls.EVENTS, urls.EFFECTS, urls.MESSAGES])
def test_staff_without_permissions_see_nothing(staff: StaffClient, place: str) -> None:
    assert staff().get(place).status_code == 403
