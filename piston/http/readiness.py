"""Can this web process do its work? If not, why, and what is to be done: `/readyz` says it."""

from __future__ import annotations

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


@require_safe
def readiness(request: HttpRequest) -> HttpResponse:
    """Tell a load balancer whether to send work here: 200, or 503 with all reasons against it."""
    reasons = find_reasons()
    if not reasons:
        return JsonResponse({"status": "ok"})
    said = {"status": "unavailable", "reasons": reasons}
    return JsonResponse(said, status=503, headers={"Retry-After": str(RETRY_SECONDS)})


def find_reasons() -> list[str]:
    """Return what keeps this process from its work, a sentence or two each."""
    if disk_reserve.is_exhausted():
        return [f"{disk_reserve.REASON[:1].upper()}{disk_reserve.REASON[1:]}."]
    try:
        is_read_only = find_read_only()
    except Error:
        return [AWAY]
    schema.look_again()
    reasons = [schema.find_problem(), READ_ONLY if is_read_only else None]
    return [reason for reason in reasons if reason]


def find_read_only() -> bool:
    """Ask the database whether it refuses writes; SQLite's is a file, and looked at elsewhere."""
    with connection.cursor() as cursor:
        if connection.vendor != "postgresql":
            cursor.execute("SELECT 1")
            return False
        cursor.execute("SELECT current_setting('transaction_read_only')")
        return bool(cursor.fetchone()[0] == "on")
