from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from piston.admin import capped_list
from tasks_app.models import Task
from tasks_app.states import TaskStatus
from tests.factories import AccountFactory, TaskFactory
from tests.integration.tasks_app.admin.urls import LIST

HOSTILE_NAME = "<script>alert(1)</script>\n\N{RIGHT-TO-LEFT OVERRIDE}vsc.exe"


def shown(client: Client, query: dict[str, str] | None = None) -> set[str]:
    """Return the ids of the tasks on the first page of the list."""
    answer = client.get(LIST, query or {})
    assert answer.status_code == 200
    return {task.pk for task in answer.context["cl"].result_list}


def queries_of_the_list(client: Client) -> list[str]:
    """Return the SQL that the list needs."""
    with CaptureQueriesContext(connection) as captured:
        client.get(LIST)
    return [query["sql"] for query in captured.captured_queries]


def test_a_row_says_how_far_a_task_is_and_how_fast(superuser: Client) -> None:
    ended_at = datetime(2026, 11, 23, 12, 0, 20, tzinfo=UTC)
    TaskFactory(
        status=TaskStatus.PARTIAL,
        total_count=5_000,
        success_count=1_000,
        failure_count=1_500,
        started_at=ended_at - timedelta(seconds=20),
        ended_at=ended_at,
    )

    page = superuser.get(LIST).content.decode()

    for fact in (
        "2,500 / 5,000 (50&nbsp;%)",
        "1,000",
        "1,500",
        "2026-11-23 12:00:00",
        "20 s",
        "125",
    ):
        assert f">{fact}<" in page


@pytest.mark.parametrize("status", [status for status in TaskStatus if status != "removed"])
@pytest.mark.parametrize("total_count", [None, 0, 10])
def test_a_task_in_any_status_is_listed(
    superuser: Client, status: str, total_count: int | None
) -> None:
    task = TaskFactory(status=status, total_count=total_count)

    assert shown(superuser) == {task.pk}


def test_the_status_is_a_word_and_not_only_a_colour(superuser: Client) -> None:
    TaskFactory(status=TaskStatus.INTERNAL_ERROR)

    page = superuser.get(LIST).content.decode()

    assert '<span class="status status-internal_error">internal_error</span>' in page


def test_a_removed_task_is_out_of_sight(superuser: Client) -> None:
    TaskFactory(status=TaskStatus.REMOVED)

    assert shown(superuser) == set()


def test_a_hostile_file_name_is_shown_as_harmless_text(superuser: Client) -> None:
    TaskFactory(file_name=HOSTILE_NAME)

    page = superuser.get(LIST).content.decode()

    assert r"&lt;script&gt;alert(1)&lt;/script&gt;\n\u202ev" in page
    assert "<script>alert" not in page


# ---- As fast with a million tasks ----------------------------------------------------------------


@pytest.mark.usefixtures("quiet_registry")
def test_the_number_of_queries_does_not_grow_with_the_tasks(superuser: Client) -> None:
    TaskFactory.create_batch(10)
    few = len(queries_of_the_list(superuser))
    TaskFactory.create_batch(90)

    many = len(queries_of_the_list(superuser))

    assert many == few


def test_nothing_asks_the_whole_table(superuser: Client) -> None:
    TaskFactory.create_batch(60)

    about_tasks = [sql for sql in queries_of_the_list(superuser) if "tasks_app_task" in sql]

    assert about_tasks
    by_key = '"tasks_app_task"."id" IN ('
    assert all("LIMIT" in sql or by_key in sql for sql in about_tasks)


def test_more_tasks_than_are_paged_are_not_counted(
    superuser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capped_list, "MAX_COUNTED_ROWS", 3)
    TaskFactory.create_batch(5)

    answer = superuser.get(LIST)

    assert answer.context["cl"].result_count == 3
    assert "The newest 3 tasks" in answer.content.decode()


def test_every_page_shows_the_tasks_that_come_next(superuser: Client) -> None:
    TaskFactory.create_batch(60)
    newest_first = list(Task.objects.order_by("-created_at", "-id").values_list("pk", flat=True))

    first, second = (superuser.get(LIST, {"p": page}).context["cl"] for page in ("1", "2"))
    every = superuser.get(LIST, {"all": ""}).context["cl"]

    assert [task.pk for task in first.result_list] == newest_first[:50]
    assert [task.pk for task in second.result_list] == newest_first[50:]
    assert [task.pk for task in every.result_list] == newest_first


def test_as_many_tasks_as_are_paged_are_all_of_them(
    superuser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capped_list, "MAX_COUNTED_ROWS", 3)
    TaskFactory.create_batch(3)

    page = superuser.get(LIST).content.decode()

    assert "The newest" not in page
    assert "3 tasks" in page


# ---- Filters -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ({"status": "stopped"}, {"status": "stopped"}),
        ({"category": "rates"}, {"category": "rates"}),
        ({"action": "delete"}, {"action": "delete"}),
        ({"category": "a_category_that_is_gone"}, {"category": "a_category_that_is_gone"}),
    ],
)
def test_a_filter_keeps_what_was_chosen(
    superuser: Client, query: dict[str, str], wanted: dict[str, str]
) -> None:
    TaskFactory()
    task = TaskFactory(**wanted)

    assert shown(superuser, query) == {task.pk}


def test_the_action_filter_offers_the_actions_of_the_chosen_category(superuser: Client) -> None:
    page = superuser.get(LIST, {"category": "rates"}).content.decode()

    assert "action=export" in page
    assert "action=add" not in page


def test_another_category_forgets_the_action(superuser: Client) -> None:
    page = superuser.get(LIST, {"category": "rates", "action": "export"}).content.decode()

    assert '"?category=number_management"' in page


@pytest.mark.parametrize("attribute", ["pk", "name"])
def test_tasks_of_an_account_are_found_by_its_id_or_name(superuser: Client, attribute: str) -> None:
    TaskFactory()
    task = TaskFactory()

    found = shown(superuser, {"account": getattr(task.account, attribute)})

    assert found == {task.pk}


def test_tasks_below_an_account_are_found_on_demand(superuser: Client) -> None:
    TaskFactory()
    above = TaskFactory()
    below = TaskFactory(account=AccountFactory(parent=above.account))

    alone = shown(superuser, {"account": above.account.pk})
    together = shown(superuser, {"account": above.account.pk, "below": "1"})

    assert alone == {above.pk}
    assert together == {above.pk, below.pk}


def test_an_unknown_account_is_said_to_be_unknown(superuser: Client) -> None:
    TaskFactory()

    answer = superuser.get(LIST, {"account": "<b>nobody"})

    assert list(answer.context["cl"].result_list) == []
    assert "No account has the id or the name &lt;b&gt;nobody." in answer.content.decode()


def test_days_are_included_from_the_first_to_the_last(superuser: Client) -> None:
    midnight = datetime(2026, 3, 1, tzinfo=UTC)
    moments = [
        midnight - timedelta(seconds=1),
        midnight,
        midnight + timedelta(days=2, seconds=-1),
        midnight + timedelta(days=2),
    ]
    tasks = [TaskFactory(created_at=moment).pk for moment in moments]

    found = shown(superuser, {"created_from": "2026-03-01", "created_to": "2026-03-02"})

    assert found == set(tasks[1:3])


@pytest.mark.parametrize(
    "query",
    [{"created_from": "yesterday"}, {"created_to": "2026-02-30"}, {"created_to": "9999-12-31"}],
)
def test_a_day_that_is_none_is_refused_with_a_reason(
    superuser: Client, query: dict[str, str]
) -> None:
    TaskFactory()

    answer = superuser.get(LIST, query)

    assert list(answer.context["cl"].result_list) == []
    assert "A day is written YYYY-MM-DD" in answer.content.decode()


@pytest.mark.parametrize("name", ["q", "status", "account", "created_from"])
def test_a_text_that_no_database_holds_is_refused(superuser: Client, name: str) -> None:
    assert superuser.get(LIST, {name: "a\0b"}).status_code == 400


def test_a_typed_filter_keeps_what_else_was_chosen(superuser: Client) -> None:
    page = superuser.get(LIST, {"status": "stopped", "q": "x", "p": "1"}).content.decode()

    assert page.count('<input type="hidden" name="status" value="stopped">') >= 2
    assert '<input type="hidden" name="p"' not in page


# ---- Search --------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [4, 12, 30])
def test_a_task_is_found_by_its_id_or_how_it_begins(superuser: Client, length: int) -> None:
    task = TaskFactory(id="0123456789abcdef0123456789abcd")
    TaskFactory(id="f123456789abcdef0123456789abcd")

    assert shown(superuser, {"q": f" {task.pk[:length]} "}) == {task.pk}


def test_a_task_is_found_by_a_part_of_its_file_name(superuser: Client) -> None:
    TaskFactory(file_name="customers.csv")
    task = TaskFactory(file_name="March numbers.csv")

    assert shown(superuser, {"q": "NUMBERS"}) == {task.pk}


@pytest.mark.parametrize("term", ["Acme", "acme tele", "{id}"])
def test_a_task_is_found_by_its_account(superuser: Client, term: str) -> None:
    TaskFactory()
    task = TaskFactory(account=AccountFactory(name="Acme Telephones"))

    assert shown(superuser, {"q": term.format(id=task.account_id)}) == {task.pk}


def test_a_search_is_text_and_no_pattern(superuser: Client) -> None:
    TaskFactory(file_name="a.csv")

    assert shown(superuser, {"q": "%' OR 1=1 --"}) == set()


def test_a_whole_id_is_looked_up_in_its_index_alone(superuser: Client) -> None:
    task = TaskFactory(file_name="x")

    with CaptureQueriesContext(connection) as captured:
        shown(superuser, {"q": task.pk})

    assert not any("LIKE" in query["sql"] for query in captured.captured_queries)
    assert Task.objects.count() == 1
