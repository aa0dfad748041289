from datetime import UTC, datetime

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from categories import registry
from categories.models import PeriodicRun, RegisteredCategory, RunningProcess

pytestmark = pytest.mark.django_db

LIST = "admin:categories_registeredcategory_changelist"


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("ann"))
    return client


def act(client: Client, action: str, *names: str) -> None:
    records = RegisteredCategory.objects.filter(name__in=names)
    chosen = [str(pk) for pk in records.values_list("pk", flat=True)]
    client.post(reverse(LIST), {"action": action, "_selected_action": chosen})


def is_enabled(name: str) -> bool:
    return RegisteredCategory.objects.get(name=name).is_enabled


def test_categories_are_disabled_and_enabled_and_who_did_it_is_kept(staff: Client) -> None:
    act(staff, "disable", "rates", "services")
    after_disabling = [is_enabled(name) for name in ("rates", "services", "number_management")]
    act(staff, "enable", "rates")

    assert after_disabling == [False, False, True]
    assert is_enabled("rates")
    entries = LogEntry.objects.filter(user__username="ann")
    assert [entry.change_message for entry in entries.filter(object_repr="rates")] == [
        "Enabled.", "Disabled.",
    ]  # fmt: skip


def test_a_category_that_cannot_be_used_says_why(staff: Client) -> None:
    RegisteredCategory.objects.create(
        name="lost", dotted_path="lost_plugin.Plugin", version="1",
        checked_at=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip

    page = staff.get(reverse(LIST)).content.decode()

    assert "No module named" in page
    assert "usable" in page


def test_a_description_that_is_the_whole_doc_is_shown_once(staff: Client) -> None:
    record = RegisteredCategory.objects.get(name="services")
    action = registry.get_action("services", "descendant_quantities")[1]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(action, "doc", action.description)
        page = staff.get(
            reverse("admin:categories_registeredcategory_change", args=[record.pk])
        ).content.decode()

    assert page.count(action.description) == 1


def test_nothing_is_added_or_deleted_by_hand(staff: Client) -> None:
    record = RegisteredCategory.objects.get(name="rates")
    version = record.version
    base = "admin:categories_registeredcategory"

    answers = [
        staff.get(reverse(f"{base}_add")).status_code,
        staff.post(reverse(f"{base}_delete", args=[record.pk]), {"post": "yes"}).status_code,
    ]
    staff.post(reverse(f"{base}_change", args=[record.pk]), {"name": "x", "version": "9"})

    assert answers == [403, 403]
    record.refresh_from_db()
    assert (record.name, record.version) == ("rates", version)


def test_a_category_shows_its_actions_and_what_they_take(staff: Client) -> None:
    record = RegisteredCategory.objects.get(name="number_management")

    url = reverse("admin:categories_registeredcategory_change", args=[record.pk])
    page = staff.get(url).content.decode()

    assert "<h3>list_all</h3>" in page
    assert "<td>E.164: + and 2 to 15 digits, the first not 0</td>" in page


def test_staff_who_may_only_look_have_no_actions() -> None:
    client = Client()
    user = User.objects.create_user("ben", is_staff=True)
    client.force_login(user)

    act(client, "disable", "rates")

    assert is_enabled("rates")


def test_periodic_jobs_are_listed_with_their_errors(staff: Client) -> None:
    run = PeriodicRun.objects.create(
        category="services", job="take_quantities", last_error="ValueError: no luck",
        last_due_at=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip

    page = staff.get(reverse("admin:categories_periodicrun_changelist")).content.decode()
    url = reverse("admin:categories_periodicrun_change", args=[run.pk])
    one = staff.get(url).content.decode()

    assert "take_quantities" in page
    assert "ValueError: no luck" in one
    assert "Takes all accounts" in one


def test_running_processes_are_listed_with_what_they_say(staff: Client) -> None:
    RunningProcess.objects.create(
        id="a", role="worker", node="piston@here", process_id=4711, process_space="here",
        seen_at=datetime(2026, 1, 1, tzinfo=UTC),
        loaded={
            "greetings": {"mark": "", "version": "", "problem": "ImportError: no luck"},
            "parcels": {"mark": "", "version": "2", "problem": ""},
        },
    )  # fmt: skip

    page = staff.get(reverse("admin:categories_runningprocess_changelist")).content.decode()

    assert "4711" in page
    assert "greetings: ImportError: no luck; parcels: version 2" in page
