"""System checks: Django verifies at every start that the settings fit together."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core import checks

from piston import data_folder
from piston.plurals import plural
from tasks_app.csv_files import scanning

MIN_SECRET_KEY_LENGTH = 32  # characters


@checks.register("piston")
def check_times(**_: Any) -> list[checks.CheckMessage]:
    """Check the ledger's times: a claim outlives a slice, and the sweeper soon sees it expire."""
    claim, sweep = settings.PISTON_CLAIM_SECONDS, settings.PISTON_SWEEP_SECONDS
    slice_seconds = settings.PISTON_SLICE_MILLISECONDS / 1000
    visible = settings.CELERY_BROKER_TRANSPORT_OPTIONS.get("visibility_timeout")
    found: list[checks.CheckMessage] = []
    if claim <= 2 * sweep:
        found.append(
            checks.Error(
                f"PISTON_CLAIM_SECONDS ({claim}) must be more than twice"
                f" PISTON_SWEEP_SECONDS ({sweep}).",
                hint="Otherwise the sweeper wakes workers for work that is still in good hands.",
                id="tasks_app.E001",
            )
        )
    if slice_seconds >= claim / 4:
        found.append(
            checks.Error(
                f"PISTON_SLICE_MILLISECONDS ({settings.PISTON_SLICE_MILLISECONDS}) must be less"
                f" than a quarter of PISTON_CLAIM_SECONDS ({claim} s).",
                hint="Otherwise a healthy worker may lose its claim to a slow batch.",
                id="tasks_app.E002",
            )
        )
    if visible is not None and visible < 10 * slice_seconds:
        found.append(
            checks.Error(
                f"A slice of {slice_seconds} s is too long for Redis's visibility_timeout"
                f" ({visible} s): at most a tenth of it.",
                hint="Redis would hand the message out again while it is being worked on.",
                id="tasks_app.E003",
            )
        )
    return found


@checks.register("piston")
def check_limits(**_: Any) -> list[checks.CheckMessage]:
    """Check that no limit is out of reach behind another one."""
    pairs = [
        ("PISTON_MAX_CELL_BYTES", "PISTON_MAX_EXPANDED_BYTES"),
        ("PISTON_MAX_JSON_BYTES", "PISTON_MAX_UPLOAD_BYTES"),
    ]
    return [
        checks.Error(
            f"{small} ({getattr(settings, small):,}) must not be more than"
            f" {large} ({getattr(settings, large):,}).",
            id="tasks_app.E004",
        )
        for small, large in pairs
        if getattr(settings, small) > getattr(settings, large)
    ]


@checks.register("piston")
def check_secret_key(**_: Any) -> list[checks.CheckMessage]:
    """Check that the key cannot be guessed: it signs the admin's cookies."""
    length = len(settings.SECRET_KEY)
    if length >= MIN_SECRET_KEY_LENGTH:
        return []
    return [
        checks.Error(
            f"SECRET_KEY has {length} {plural('character', length)}; it needs"
            f" {MIN_SECRET_KEY_LENGTH} or more.",
            hint="python3 -c 'import secrets; print(secrets.token_urlsafe(50))'",
            id="tasks_app.E005",
        )
    ]


@checks.register("piston")
def check_database(**_: Any) -> list[checks.CheckMessage]:
    """Warn of a database that other machines cannot reach."""
    if not settings.DATABASE_IS_EMBEDDED or settings.BROKER_IS_EMBEDDED:
        return []
    return [
        checks.Warning(
            "The broker reaches several machines, but the database is SQLite: a file of this one.",
            hint="Set DATABASE_URL to a PostgreSQL server before starting workers elsewhere.",
            id="tasks_app.W001",
        )
    ]


@checks.register("piston")
def check_data_folder(**_: Any) -> list[checks.CheckMessage]:
    """Warn of files that other users can read, because another user owns them."""
    return [
        checks.Warning(
            f"Other users may look into {path}: it belongs to {data_folder.owner(path)}, so its"
            " permissions could not be changed.",
            hint="Give it to the user who runs this, or take the permissions away: chmod go=.",
            id="tasks_app.W004",
        )
        for path in data_folder.find_open(settings.PISTON_DATA_DIR)
    ]


@checks.register("piston", deploy=True)
def check_several_machines(**_: Any) -> list[checks.CheckMessage]:
    """Warn of parts that a second machine could not share (`manage.py check --deploy`)."""
    found: list[checks.CheckMessage] = []
    if settings.BROKER_IS_EMBEDDED:
        found.append(
            checks.Warning(
                "The broker is a folder: only workers on this machine are woken up.",
                hint="Set CELERY_BROKER_URL to RabbitMQ or Redis.",
                id="tasks_app.W002",
            )
        )
    if not settings.PISTON_S3_BUCKET:
        found.append(
            checks.Warning(
                f"Files are kept in {settings.PISTON_DATA_DIR / 'files'}: every machine must see"
                " the same folder.",
                hint="Set PISTON_S3_BUCKET, or put PISTON_DATA_DIR on a shared file system.",
                id="tasks_app.W003",
            )
        )
    return found


@checks.register("piston", deploy=True)
def check_scanner(**_: Any) -> list[checks.CheckMessage]:
    """Warn if this machine scans uploads slowly (`manage.py check --deploy`)."""
    if scanning.COMPILED_SCAN is not None:
        return []
    return [
        checks.Warning(
            "Uploads are scanned at a tenth of the speed: tasks_app/csv_files/scan_block.so is not"
            " there, or not for this machine.",
            hint="Install a C compiler (apt-get install gcc libc6-dev), then: make setup.",
            id="tasks_app.W005",
        )
    ]
