"""The answers of `/healthz` and `/readyz`: what keeps this web process from its work."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import Error, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from piston import disk_reserve
from piston.database.failures import READ_ONLY
from piston.database.schema import schema
from piston.http.errors import RETRY_SECONDS

AWAY = (
    "The database does not answer. See that it runs, and that DATABASE_URL leads to it;"
    " this process then goes on by itself."
)
FULL = f"{disk_reserve.REASON[:1].upper()}{disk_reserve.REASON[1:]}."


@dataclass(frozen=True)
class Reason:
    """A problem: a word for programs, and a sentence or two about what people can do.

    A restart solves none of them: another process of the same release has the same problem.
    """

    word: str
    sentence: str


@require_safe
def health(request: HttpRequest) -> HttpResponse:
    """Tell whether the database is usable: 200, or 503 with a word.

    On a full disk people can still act while the reserve lasts, so that is a 200. A database that
    refuses writes, as a standby does, is a 503.
    """
    if reason := find_database_reason():
        return unavailable(database=reason.word)
    return JsonResponse({"status": "ok", "database": "ok"})


@require_safe
def readiness(request: HttpRequest) -> HttpResponse:
    """Tell a load balancer whether to send requests here: 200, or 503 with all reasons not to."""
    if reasons := find_reasons():
        return unavailable(reasons=[reason.sentence for reason in reasons])
    return JsonResponse({"status": "ok"})


def unavailable(**said: object) -> JsonResponse:
    """Return a 503 with the problem, and with the time to ask again."""
    headers = {"Retry-After": str(RETRY_SECONDS)}
    return JsonResponse({"status": "unavailable", **said}, status=503, headers=headers)


def find_reasons() -> list[Reason]:
    """Return all problems that keep this process from its work."""
    of_database = find_database_reason()
    if of_database and of_database.word != "read-only":  # then the schema cannot be checked
        return [of_database]
    schema.look_again()
    problem = schema.find_problem()
    of_schema = Reason("schema", problem) if problem else None
    return [reason for reason in (of_schema, of_database) if reason]


def find_database_reason() -> Reason | None:
    """Return why no release could work with the database; None if one can."""
    try:
        is_read_only = find_read_only()
    except Error:
        return Reason("full", FULL) if disk_reserve.is_exhausted() else Reason("away", AWAY)
    if disk_reserve.is_exhausted():
        return Reason("full", FULL)
    return Reason("read-only", READ_ONLY) if is_read_only else None


def find_read_only() -> bool:
    """Ask the database whether it refuses writes; SQLite's file is checked elsewhere."""
    with connection.cursor() as cursor:
        if connection.vendor != "postgresql":
            cursor.execute("SELECT 1")
            return False
        cursor.execute("SELECT current_setting('transaction_read_only')")
        return bool(cursor.fetchone()[0] == "on")
