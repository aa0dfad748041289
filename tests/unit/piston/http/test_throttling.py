from types import SimpleNamespace
from typing import Any

import pytest
from django.core.cache import cache
from django.test import RequestFactory
from redis.exceptions import ConnectionError as RedisConnectionError
from rest_framework.request import Request

from piston.http import throttling
from piston.http.throttling import RequestThrottle, SignInThrottle

LIMIT = 5


class Clock:
    now = 1_000_000_020.0  # 0 seconds into a minute

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(throttling, "time", clock)
    return clock


def ask(address: str = "10.0.0.1", user: Any = None, **headers: str) -> tuple[bool, float]:
    request = Request(RequestFactory().get("/", headers=headers, REMOTE_ADDR=address))
    request._user = user
    throttle = SignInThrottle() if user is None else RequestThrottle()
    throttle.limit = LIMIT
    return throttle.allow_request(request, None), throttle.wait()  # type: ignore[arg-type]


def ask_often(count: int) -> None:
    for _ in range(count):
        assert ask()[0]


def test_as_many_requests_as_allowed_pass_and_no_more(clock: Clock) -> None:
    ask_often(LIMIT)

    assert not ask()[0]


def test_the_next_minute_does_not_start_from_nothing(clock: Clock) -> None:
    clock.now += 59
    ask_often(LIMIT)

    clock.now += 2  # a second into the next minute

    assert not ask()[0]


def test_after_two_minutes_everything_is_forgotten(clock: Clock) -> None:
    ask_often(LIMIT)

    clock.now += 120

    ask_often(LIMIT)


@pytest.mark.parametrize("second", [0, 1, 29, 30, 59])
@pytest.mark.parametrize("count", [0, 1, LIMIT])
def test_who_waits_as_long_as_told_is_allowed(second: int, count: int, clock: Clock) -> None:
    ask_often(LIMIT - count)
    clock.now += 60 + second
    while ask()[0]:
        pass
    _, wait_seconds = ask()

    clock.now += wait_seconds

    assert 0 < wait_seconds <= 120
    assert ask()[0]


def test_refused_requests_do_not_count(clock: Clock) -> None:
    ask_often(LIMIT)
    for _ in range(100):
        ask()

    clock.now += 119

    assert ask()[0]


def test_clients_are_counted_apart(clock: Clock) -> None:
    ask_often(LIMIT)

    assert ask("10.0.0.2")[0]


def test_an_account_counts_as_one_client_from_any_address(clock: Clock) -> None:
    account = SimpleNamespace(pk="a" * 32)
    for n in range(LIMIT):
        assert ask(f"10.0.0.{n}", account)[0]

    assert not ask("10.0.1.1", account)[0]


def test_a_forwarded_address_is_not_believed_without_a_proxy(clock: Clock) -> None:
    ask_often(LIMIT)

    assert not ask(**{"X-Forwarded-For": "1.2.3.4"})[0]


def test_behind_a_proxy_the_address_it_reports_counts(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rest_framework.throttling.api_settings.NUM_PROXIES", 1)
    for _ in range(LIMIT):
        assert ask(**{"X-Forwarded-For": "forged, 1.2.3.4"})[0]

    assert not ask(**{"X-Forwarded-For": "forged differently, 1.2.3.4"})[0]
    assert ask(**{"X-Forwarded-For": "forged, 1.2.3.5"})[0]


def test_while_the_cache_is_away_requests_pass_and_it_is_logged(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RedisConnectionError("refused")

    monkeypatch.setattr(cache, "add", fail)

    assert ask()[0]
    assert "the cache is away" in caplog.text
