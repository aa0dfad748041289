"""What do staff see of quantities?"""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from categories.services.models import ServiceQuantity
from tests.factories import AccountFactory

pytestmark = pytest.mark.django_db
LIST = "admin:services_servicequantity_changelist"


@pytest.fixture
def quantity() -> ServiceQuantity:
    ServiceQuantity.objects.create(account=AccountFactory(), year=2023, month=1)
    quantity: ServiceQuantity = ServiceQuantity.objects.create(
        account=AccountFactory(name="Shop"), year=2024, month=2, bom={"ips": {"dedicated": 3}}
    )
    return quantity


@pytest.mark.parametrize("asked", [{"year": 2024}, {"month": 2}, {"q": "sho"}])
def test_quantities_are_filtered(
    admin_client: Client, quantity: ServiceQuantity, asked: dict[str, Any]
) -> None:
    page = admin_client.get(reverse(LIST), asked)

    assert list(page.context["cl"].result_list) == [quantity]


def test_the_newest_come_first(admin_client: Client, quantity: ServiceQuantity) -> None:
    page = admin_client.get(reverse(LIST))

    assert [row.year for row in page.context["cl"].result_list] == [2024, 2023]


def test_the_documents_can_be_read(admin_client: Client, quantity: ServiceQuantity) -> None:
    page = admin_client.get(reverse("admin:services_servicequantity_change", args=[quantity.pk]))

    assert "dedicated" in page.content.decode()


def test_the_list_says_what_is_not_known(admin_client: Client, quantity: ServiceQuantity) -> None:
    quantity.eom = {"rates": None, "ips": {}}
    quantity.save()

    page = admin_client.get(reverse(LIST))

    assert "rates at the end" in page.content.decode()


def test_nothing_can_be_changed(admin_client: Client, quantity: ServiceQuantity) -> None:
    pages = [
        admin_client.post(reverse("admin:services_servicequantity_change", args=[quantity.pk])),
        admin_client.post(reverse("admin:services_servicequantity_delete", args=[quantity.pk])),
        admin_client.get(reverse("admin:services_servicequantity_add")),
    ]

    assert [page.status_code for page in pages] == [403, 403, 403]
