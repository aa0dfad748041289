"""What does an installation say about the settings of a registered category?"""

from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from categories import registry
from categories.errors import BrokenCategory
from categories.models import RegisteredCategory
from categories.registry import finding, refreshing, registering
from piston import masking
from tests.integration.categories.conftest import Write
from tests.integration.categories.registry.test_checks import WITH_KEY

pytestmark = pytest.mark.django_db

SECRET = "s3cretkey"


@pytest.fixture(autouse=True)
def set_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masking, "_secrets", set())
    monkeypatch.setenv("PISTON_ECHO_API_KEY", SECRET)


def start_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "_registry", refreshing.Registry())


def read_page() -> str:
    client = Client()
    client.force_login(User.objects.create_superuser("ann"))
    record = RegisteredCategory.objects.get(name="echo")
    url = reverse("admin:categories_registeredcategory_change", args=[record.pk])
    return client.get(url).content.decode()


def test_registering_without_a_required_setting_is_refused(
    write_plugin: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PISTON_ECHO_API_KEY")

    with pytest.raises(CommandError, match="PISTON_ECHO_API_KEY is not set for this process: Key"):
        call_command("register_category", write_plugin(text=WITH_KEY))

    assert not RegisteredCategory.objects.filter(name="echo").exists()


def test_a_process_without_the_setting_has_a_broken_category_and_all_others(
    write_plugin: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    registering.register(write_plugin(text=WITH_KEY))
    start_another_process(monkeypatch)
    monkeypatch.delenv("PISTON_ECHO_API_KEY")

    with pytest.raises(BrokenCategory, match="PISTON_ECHO_API_KEY is not set"):
        registry.get_category("echo")
    assert registry.get_category("rates")


def test_staff_see_variable_source_and_meaning_but_no_secret(
    write_plugin: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    registering.register(write_plugin(text=WITH_KEY))
    monkeypatch.setenv("PISTON_ECHO_APIKEY", SECRET)

    page = read_page()

    assert "PISTON_ECHO_API_KEY" in page
    assert masking.MASK in page
    assert "environment" in page
    assert "did you mean PISTON_ECHO_API_KEY?" in page
    assert SECRET not in page


def test_the_command_that_explains_a_category_shows_its_variables_but_no_secret(
    write_plugin: Write,
) -> None:
    registering.register(write_plugin(text=WITH_KEY))
    out = StringIO()

    call_command("list_categories", "echo", stdout=out)

    assert f"PISTON_ECHO_API_KEY={masking.MASK} (environment)" in out.getvalue()
    assert SECRET not in out.getvalue()


def test_a_misspelt_variable_is_logged_with_the_nearest_name(
    write_plugin: Write, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PISTON_ECHO_APIKEY", SECRET)
    registering.register(write_plugin(text=WITH_KEY))
    start_another_process(monkeypatch)

    registry.get_category("echo")

    assert "did you mean PISTON_ECHO_API_KEY?" in caplog.text
    assert SECRET not in caplog.text
