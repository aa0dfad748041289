"""Who may settle indeterminate rows in the admin, and what do they see?"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.test import Client

from categories import registry
from tasks_app.models import Effect, Task, TaskEvent
from tests import plugins
from tests import settling as rows
from tests.broker import FakeBroker, broker
from tests.factories import SegmentFactory, TaskFactory
from tests.integration.tasks_app.admin import urls
from tests.integration.tasks_app.admin.conftest import StaffClient

__all__ = ["broker"]

pytestmark = pytest.mark.django_db(transaction=True)
VIEW, CHANGE = "tasks_app.view_task", "tasks_app.change_task"
DECISIONS = ["done", "not_done", "send_again"]


@pytest.fixture(autouse=True)
def trial() -> Iterator[None]:
    """Offer the category of tests/plugins.py."""
    with registry.registered(plugins.Trial):
        yield


@pytest.fixture
def task(broker: FakeBroker) -> Task:
    """A task that has ended; rows 2 and 4 are indeterminate."""
    return rows.ended(broker, "", "crash", "fail", "crash")


def form(task: Task, decision: str, *numbers: int, **more: str) -> dict[str, object]:
    """Return the form of a browser with ticked rows and a pressed button on the task's page."""
    chosen = [rows.effect(task, number).pk for number in numbers]
    return {"task": task.pk, "decision": decision, "effect": chosen, **more}


def states(task: Task) -> list[str]:
    """Return the state of each row."""
    return list(task.effects.order_by("row_number").values_list("state", flat=True))


UNTOUCHED = ["done", "indeterminate", "done", "indeterminate"]


def test_the_page_of_a_task_offers_its_indeterminate_rows(superuser: Client, task: Task) -> None:
    page = superuser.get(urls.page(task)).content.decode()

    for number, is_offered in ((1, False), (2, True), (3, False), (4, True)):
        field = f'name="effect" value="{rows.effect(task, number).pk}"'
        assert (field in page) == is_offered
    for label in ("It was done", "It was not done", "Send it again"):
        assert label in page


def test_a_form_inside_of_djangos_own_would_be_ignored_by_browsers(
    superuser: Client, task: Task
) -> None:
    page = superuser.get(urls.page(task)).content.decode()

    own, _, rest = page.partition('id="task_form"')
    django = rest.partition("</form>")[0]
    assert 'id="settling"' in own
    assert "<form" not in django
    assert django.count('form="settling"') == 2 + len(DECISIONS)


@pytest.mark.parametrize("decision", DECISIONS)
def test_it_is_asked_once_more_and_nothing_happens_before(
    superuser: Client, task: Task, decision: str
) -> None:
    page = superuser.post(urls.SETTLE, form(task, decision, 2)).content.decode()

    assert rows.effect(task, 2).key in page
    assert rows.effect(task, 4).key not in page
    assert 'name="confirmed"' in page
    assert states(task) == UNTOUCHED


@pytest.mark.parametrize("decision", DECISIONS)
def test_a_confirmed_decision_is_carried_out_and_names_who_made_it(
    superuser: Client, task: Task, broker: FakeBroker, decision: str
) -> None:
    confirmed = form(task, decision, 2, 4, confirmed="yes", note=" asked\r\nthem ")

    answer = superuser.post(
        urls.SETTLE, confirmed, headers={"X-Request-Id": "request-77"}, follow=True
    )
    broker.deliver_all()

    assert answer.redirect_chain == [(urls.page(task), 302)]
    assert f"rows 2, 4 of {task.pk}" in answer.content.decode()
    event = TaskEvent.objects.filter(task_id=task.pk, kind="decided").last()
    assert event is not None
    assert (event.actor, event.request_id) == ("staff:root", "request-77")
    assert event.detail == {"row": 4, "decision": decision, "note": "asked\nthem"}
    assert rows.counts(task) == {
        "done": (3, 1, 0), "not_done": (1, 3, 0), "send_again": (1, 3, 2),
    }[decision]  # fmt: skip
    rows.assert_counts_equal_files(task)


def test_the_second_who_decides_is_told_who_was_first(superuser: Client, task: Task) -> None:
    rows.decide(task, "done", 2)

    answer = superuser.post(urls.SETTLE, form(task, "not_done", 2, 4, confirmed="yes"), follow=True)

    page = answer.content.decode()
    assert f"Not decided (staff:anna decided already: Done): row 2 of {task.pk}." in page
    assert f"It was not done: row 4 of {task.pk}." in page
    assert rows.effect(task, 2).decision == "done"


def test_rows_of_a_task_that_has_not_ended_have_to_wait(superuser: Client) -> None:
    task = TaskFactory(status="executing")
    SegmentFactory(task=task)
    effect = Effect.objects.create(task=task, row_number=1, key="k", state="indeterminate", claim=1)

    page = superuser.get(urls.page(task)).content.decode()
    answer = superuser.post(
        urls.SETTLE, form(task, "done", 1, confirmed="yes"), follow=True
    ).content.decode()

    assert "They can be settled once the task has ended." in page
    assert 'name="effect"' not in page
    assert "wait for its end): row 1" in answer
    effect.refresh_from_db()
    assert effect.state == "indeterminate"


@pytest.mark.parametrize("given", [(), (VIEW,), (CHANGE,), (VIEW, CHANGE)])
def test_settling_needs_the_change_permission(
    staff: StaffClient, task: Task, given: tuple[str, ...]
) -> None:
    client = staff(*given)

    page = client.get(urls.page(task))
    in_list = client.get(urls.EFFECTS)
    answer = client.post(urls.SETTLE, form(task, "done", 2, confirmed="yes"))

    may = CHANGE in given
    assert (page.status_code, in_list.status_code) == ((200, 200) if given else (403, 403))
    assert ("It was done" in page.content.decode()) == may
    assert ("settle_as_done" in in_list.content.decode()) == may
    assert answer.status_code == (302 if may else 403)
    assert (states(task) == UNTOUCHED) != may


def test_nobody_settles_without_signing_in(client: Client, task: Task) -> None:
    answer = client.post(urls.SETTLE, form(task, "done", 2, confirmed="yes"))

    assert "/admin/login/" in answer["Location"]
    assert states(task) == UNTOUCHED


def test_getting_the_address_changes_nothing(superuser: Client, task: Task) -> None:
    answer = superuser.get(urls.SETTLE, form(task, "done", 2, confirmed="yes"))

    assert answer.status_code == 405
    assert states(task) == UNTOUCHED


def test_without_the_csrf_token_nothing_changes(superuser: Client, task: Task) -> None:
    superuser.handler.enforce_csrf_checks = True

    answer = superuser.post(urls.SETTLE, form(task, "done", 2, confirmed="yes"))

    assert answer.status_code == 403
    assert states(task) == UNTOUCHED


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"decision": "explode"}, 400, "Choose what became of"),
        ({"decision": ""}, 400, "Choose what became of"),
        ({"effect": []}, 200, "No row was chosen"),
        ({"effect": ["x", "-1", "9" * 30, "٣"]}, 200, "No row was chosen"),
        ({"effect": list(range(201))}, 400, "at most 200 rows"),
        ({"note": "x" * 1_001}, 200, "A note is text of at most 1000 characters."),
        ({"note": "\0"}, 200, "A note is text of at most 1000 characters."),
    ],
)
def test_what_cannot_be_right_is_refused_with_the_reason(
    superuser: Client, task: Task, changes: dict[str, object], status: int, said: str
) -> None:
    sent = form(task, "done", 2, confirmed="yes") | changes

    answer = superuser.post(urls.SETTLE, sent, follow=True)

    assert answer.status_code == status
    assert said in answer.content.decode()
    assert states(task) == UNTOUCHED


@pytest.mark.parametrize("state", ["", "?state=indeterminate"])
def test_the_list_has_the_rows_that_are_to_be_settled(
    superuser: Client, task: Task, state: str
) -> None:
    page = superuser.get(urls.EFFECTS + state).content.decode()

    shown = [rows.effect(task, number).key in page for number in (1, 2, 3, 4)]
    assert shown == [False, True, False, True]


def test_the_list_finds_the_rows_of_a_task(
    superuser: Client, task: Task, broker: FakeBroker
) -> None:
    other = rows.ended(broker, "crash")

    page = superuser.get(urls.EFFECTS, {"q": task.pk}).content.decode()

    assert rows.effect(task, 2).key in page
    assert rows.effect(other, 1).key not in page


def test_rows_of_several_tasks_are_settled_from_the_list(
    superuser: Client, task: Task, broker: FakeBroker
) -> None:
    other = rows.ended(broker, "crash")
    ticked = [rows.effect(task, 4).pk, rows.effect(other, 1).pk]
    chosen = {"action": "settle_as_done", "index": "0", ACTION_CHECKBOX_NAME: ticked}

    asked = superuser.post(urls.EFFECTS, chosen)
    before = states(task), states(other)
    answer = superuser.post(
        urls.SETTLE, {"decision": "done", "effect": ticked, "confirmed": "yes"}, follow=True
    )
    broker.deliver_all()

    assert "It was done: 2 rows" in asked.content.decode()
    assert before == (UNTOUCHED, ["indeterminate"])
    assert answer.redirect_chain == [(urls.EFFECTS, 302)]
    assert (rows.counts(task), rows.counts(other)) == ((2, 2, 1), (1, 0, 0))


def test_a_hostile_note_is_shown_as_harmless_text(superuser: Client, task: Task) -> None:
    rows.decide(task, "done", 2, note="<script>alert(1)</script>\N{RIGHT-TO-LEFT OVERRIDE}")

    page = superuser.get(urls.page(task)).content.decode()

    assert r"&lt;script&gt;alert(1)&lt;/script&gt;\u202e" in page
    assert "<script>alert" not in page
