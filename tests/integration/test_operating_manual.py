"""Does the operator's manual have every variable and setting, and none that is gone?"""

import re
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
MANUAL = (ROOT / "docs/operating.md").read_text()
EXAMPLE = (ROOT / ".env.example").read_text()
READING = re.compile(r'read_(?:text|integer|boolean|list|folder)\([^"\']*["\']([A-Z_0-9]+)["\']')
READ = {
    name
    for path in (*ROOT.glob("piston/settings/*.py"), ROOT / "piston/web/gunicorn.py")
    for name in READING.findall(path.read_text())
}  # fmt: skip
SHAPES = ("SERIALIZER", "ACCEPT_CONTENT", "TIMEZONE", "SCHEDULE", "BROKER_URL", "TRANSPORT_OPTIONS")


@pytest.mark.parametrize("name", sorted(READ))
def test_every_variable_is_explained(name: str) -> None:
    assert f"`{name}`" in MANUAL


@pytest.mark.parametrize("name", re.findall(r"^#? ?([A-Z_0-9]+)=", EXAMPLE, re.MULTILINE))
def test_every_variable_of_the_example_exists(name: str) -> None:
    only_in_compose = {"POSTGRES_PASSWORD", "RABBITMQ_PASSWORD", "S3_SECRET_KEY"}

    assert name in READ | only_in_compose


def test_no_variable_is_explained_that_is_not_read() -> None:
    explained = set(re.findall(r"`(PISTON_[A-Z_0-9]+)`", MANUAL))

    assert explained - READ == set()


@pytest.mark.parametrize(
    "name",
    [
        name.removeprefix("CELERY_").lower()
        for name in dir(settings)
        if name.startswith("CELERY_") and not name.endswith(SHAPES)
    ],
)
def test_every_setting_of_celery_has_its_reason(name: str) -> None:
    assert re.search(rf"\b{name}\b", MANUAL)


@pytest.mark.parametrize("name", sorted(settings.CELERY_BROKER_TRANSPORT_OPTIONS))
def test_every_option_of_the_broker_has_its_reason(name: str) -> None:
    assert name in MANUAL or "folder" in name
