"""Do the settings keep processes from hanging on a server that is gone without a word?"""

import pytest

from piston import settings


@pytest.mark.parametrize("claim_seconds", [2, 6, 20, 300])
def test_a_silent_database_is_given_up_within_a_claim_and_a_half(
    claim_seconds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "DATABASE_URL", "postgres://somebody@127.0.0.1:5432/piston")
    monkeypatch.setattr(settings, "PISTON_CLAIM_SECONDS", claim_seconds)

    options = settings.read_database()["OPTIONS"]

    waiting = options["keepalives_idle"] + (
        options["keepalives_count"] * options["keepalives_interval"]
    )
    assert options["tcp_user_timeout"] == claim_seconds * 1000
    assert claim_seconds / 2 < waiting <= max(4, claim_seconds * 1.5)
    assert options["connect_timeout"] <= 5


def test_a_silent_broker_is_given_up_within_half_a_minute() -> None:
    assert 0 < settings.CELERY_BROKER_HEARTBEAT <= 15
