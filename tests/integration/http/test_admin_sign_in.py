"""Is the admin's sign-in locked after too many wrong passwords, and only for that client?"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt, AccessFailureLog
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import DatabaseError, connections
from django.test import Client
from django.utils import timezone

from piston.http import admin_sign_in
from piston.http.admin_sign_in import MAX_BY_ADDRESS, MAX_BY_NAME

LOGIN = "/admin/login/?next=/admin/"
GOOD = "a good password"
HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"


@pytest.fixture(autouse=True)
def quick_hashes(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def root(db: None) -> User:
    return User.objects.create_superuser("root", password=GOOD)


def sign_in(name: str = "root", password: str = "wrong", address: str = HERE, **more: str) -> Any:
    form = {"username": name, "password": password}
    return Client().post(LOGIN, form, REMOTE_ADDR=address, **more)


def fail(count: int, name: str = "root", address: str = HERE, **more: str) -> None:
    for _ in range(count):
        assert sign_in(name, address=address, **more).status_code == 200


def test_the_right_password_signs_in_however_often(root: User) -> None:
    answers = [sign_in(password=GOOD) for _ in range(2 * MAX_BY_ADDRESS)]

    assert {answer.status_code for answer in answers} == {302}
    assert not AccessAttempt.objects.exists()


def test_after_too_many_failures_the_right_password_is_refused_as_well(root: User) -> None:
    fail(MAX_BY_NAME)

    answer = sign_in(password=GOOD)

    assert answer.status_code == 429
    assert 0 < int(answer["Retry-After"]) <= admin_sign_in.LOCK_TIME.total_seconds()
    assert "Nobody can sign in" in answer.content.decode()


def test_a_lock_is_written_down_once(root: User, caplog: pytest.LogCaptureFixture) -> None:
    fail(MAX_BY_NAME)
    for _ in range(5):
        sign_in()

    record = AccessFailureLog.objects.get()
    assert (record.username, record.ip_address, record.locked_out) == ("root", HERE, True)
    assert caplog.text.count(f"locked for 'root' from {HERE}") == 1


def test_a_lock_ends_although_refused_attempts_go_on(root: User) -> None:
    fail(MAX_BY_NAME)
    before = timezone.now() - admin_sign_in.LOCK_TIME
    AccessAttempt.objects.update(attempt_time=before + timedelta(minutes=1))
    refused = sign_in(password=GOOD).status_code
    AccessAttempt.objects.update(attempt_time=before)

    assert (refused, sign_in(password=GOOD).status_code) == (429, 302)


def test_failures_from_other_addresses_lock_no_client_out(root: User) -> None:
    fail(MAX_BY_NAME, address=ELSEWHERE)

    assert sign_in(password=GOOD).status_code == 302


def test_a_neighbour_signs_in_while_a_name_is_locked(root: User) -> None:
    fail(MAX_BY_NAME, name="somebody")

    assert sign_in(password=GOOD).status_code == 302


def test_many_names_from_one_address_lock_the_address(root: User) -> None:
    for number in range(MAX_BY_ADDRESS):
        fail(1, name=f"name {number}")

    assert sign_in(password=GOOD).status_code == 429


@pytest.mark.parametrize("name", ["ROOT", " root ", "\uff52oot", "x" * 9_999, "root\u200b"])
def test_no_spelling_of_a_name_leaves_more_attempts(root: User, name: str) -> None:
    fail(MAX_BY_NAME)
    for _ in range(MAX_BY_ADDRESS - MAX_BY_NAME):
        sign_in(name)

    assert sign_in(name).status_code == 429


@pytest.mark.parametrize("name", ["", "a\0b"])
def test_an_impossible_name_is_refused_by_the_form(root: User, name: str) -> None:
    assert sign_in(name).status_code == 200
    assert not AccessAttempt.objects.exists()


def test_ones_own_sign_in_does_not_forget_the_failures_of_other_names(root: User) -> None:
    User.objects.create_user("clerk", password=GOOD, is_staff=True)
    for number in range(MAX_BY_ADDRESS - 1):
        fail(1, name=f"name {number}")
    signed_in = sign_in("clerk", GOOD).status_code
    fail(1, name="one more")

    assert (signed_in, sign_in("clerk", GOOD).status_code) == (302, 429)


def test_addresses_of_one_ipv6_network_count_together(root: User) -> None:
    for number in range(MAX_BY_NAME):
        fail(1, address=f"2001:db8::{number:x}")

    assert sign_in(password=GOOD, address="2001:db8::ffff").status_code == 429
    assert sign_in(password=GOOD, address="2001:db8:0:1::").status_code == 302


def test_what_clients_forward_counts_only_behind_a_trusted_proxy(root: User, settings: Any) -> None:
    for number in range(MAX_BY_NAME):
        fail(1, HTTP_X_FORWARDED_FOR=f"198.51.100.{number}")
    untrusted = sign_in(password=GOOD, HTTP_X_FORWARDED_FOR="198.51.100.99").status_code
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": 1}

    trusted = sign_in(password=GOOD, HTTP_X_FORWARDED_FOR="198.51.100.99").status_code

    assert (untrusted, trusted) == (429, 302)


@pytest.mark.parametrize("forwarded", ["nonsense", "", "1.2.3.4:5", "' OR 1", "\x00"])
def test_what_a_proxy_reports_and_is_no_address_counts_for_the_proxy(
    root: User, settings: Any, forwarded: str
) -> None:
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": 1}

    fail(1, HTTP_X_FORWARDED_FOR=forwarded)

    assert AccessAttempt.objects.get().ip_address == HERE


@pytest.mark.django_db(transaction=True)
def test_attempts_at_the_same_moment_do_not_slip_through() -> None:
    User.objects.create_superuser("root", password=GOOD)

    def attempt(_: int) -> int:
        status: int = sign_in().status_code
        connections.close_all()
        return status

    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(attempt, range(3 * MAX_BY_NAME)))

    assert 0 < statuses.count(200) <= MAX_BY_NAME
    assert sign_in(password=GOOD).status_code == 429


def test_all_sign_ins_fail_while_the_database_cannot_count(
    root: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise DatabaseError("database or disk is full")

    monkeypatch.setattr(admin_sign_in, "count_attempt", refuse)

    with pytest.raises(DatabaseError):
        sign_in(password=GOOD)


def test_the_operator_unlocks_the_sign_in(root: User) -> None:
    fail(MAX_BY_NAME)

    call_command("axes_reset")

    assert sign_in(password=GOOD).status_code == 302


def test_attempts_and_records_are_forgotten_after_their_time(root: User) -> None:
    fail(MAX_BY_NAME)
    fail(1, name="somebody")
    AccessAttempt.objects.filter(username="root").update(
        attempt_time=timezone.now() - admin_sign_in.LOCK_TIME
    )
    AccessFailureLog.objects.update(
        attempt_time=timezone.now() - timedelta(days=admin_sign_in.KEEP_DAYS)
    )

    admin_sign_in.forget_attempts()

    assert [attempt.username for attempt in AccessAttempt.objects.all()] == ["somebody"]
    assert not AccessFailureLog.objects.exists()


@pytest.mark.parametrize(
    ("following", "place"),
    [
        ("/admin/tasks_app/task/", "/admin/tasks_app/task/"),
        ("https://evil.example/", "/admin/"),
        ("//evil.example/", "/admin/"),
        ("javascript:alert(1)", "/admin/"),
        ("", "/admin/"),
    ],
)
def test_a_next_that_is_refused_leads_to_the_admins_first_page(
    root: User, following: str, place: str
) -> None:
    form = {"username": "root", "password": GOOD, "next": following}

    answer = Client().post("/admin/login/", form)

    assert (answer.status_code, answer["Location"]) == (302, place)
