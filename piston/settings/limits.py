"""The limits and times of this installation, each with its unit."""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured

from piston.environment import read_integer

PISTON_MAX_UPLOAD_BYTES = read_integer("PISTON_MAX_UPLOAD_BYTES", 5 * 2**30, minimum=1)  # else 413
PISTON_MAX_EXPANDED_BYTES = read_integer("PISTON_MAX_EXPANDED_BYTES", 5 * 2**30, minimum=1)  # gzip
PISTON_MAX_JSON_BYTES = read_integer(  # else 413
    "PISTON_MAX_JSON_BYTES", min(512 * 2**20, PISTON_MAX_UPLOAD_BYTES), minimum=1
)
PISTON_MAX_COLUMNS = read_integer("PISTON_MAX_COLUMNS", 1_000, minimum=1)
PISTON_MAX_CELL_BYTES = read_integer("PISTON_MAX_CELL_BYTES", 2**20, minimum=1)
PISTON_MAX_ROWS = read_integer("PISTON_MAX_ROWS", 50_000_000, minimum=1)

# Quotas of one account; 0: no limit
PISTON_MAX_TASKS_PER_ACCOUNT = read_integer("PISTON_MAX_TASKS_PER_ACCOUNT", 1_000_000)  # else 429
PISTON_MAX_STORED_BYTES_PER_ACCOUNT = read_integer(  # in files; else 413
    "PISTON_MAX_STORED_BYTES_PER_ACCOUNT", 2**40
)
PISTON_MAX_OUTPUT_BYTES = read_integer("PISTON_MAX_OUTPUT_BYTES", 50 * 2**30)  # of one task
PISTON_MAX_TOKENS_PER_ACCOUNT = read_integer("PISTON_MAX_TOKENS_PER_ACCOUNT", 10_000)  # else 429

PISTON_CLAIM_SECONDS = read_integer("PISTON_CLAIM_SECONDS", 20, minimum=2)  # then a claim expires
PISTON_SWEEP_SECONDS = read_integer("PISTON_SWEEP_SECONDS", 5, minimum=1)  # between two sweeps
PISTON_SLICE_MILLISECONDS = read_integer("PISTON_SLICE_MILLISECONDS", 1_000, minimum=1)
PISTON_SHUTDOWN_SECONDS = read_integer("PISTON_SHUTDOWN_SECONDS", 3)  # for the row in hand, at TERM
PISTON_TASK_KEEP_DAYS = read_integer("PISTON_TASK_KEEP_DAYS", 0)  # after its end; 0: until deleted

PISTON_UNFIT_SECONDS = read_integer("PISTON_UNFIT_SECONDS", 86_400)  # to wait for a fitting worker

PISTON_EVENT_KEEP_DAYS = read_integer("PISTON_EVENT_KEEP_DAYS", 90)  # after its task; 0: for ever

PISTON_TOKEN_SECONDS = read_integer("PISTON_TOKEN_SECONDS", 3_600, minimum=60)
PISTON_SIGN_INS_PER_MINUTE = read_integer("PISTON_SIGN_INS_PER_MINUTE", 30, minimum=1)  # per client
PISTON_REQUESTS_PER_MINUTE = read_integer("PISTON_REQUESTS_PER_MINUTE", 3_000, minimum=1)  # same
PISTON_TRUSTED_PROXIES = read_integer("PISTON_TRUSTED_PROXIES", 0)  # how many add X-Forwarded-For

# Threads of a web process. An upload or a download holds one as long as it lasts
PISTON_WEB_THREADS = read_integer("PISTON_WEB_THREADS", 32, minimum=1)
if PISTON_WEB_THREADS == 1:  # was valid before there were slots for transfers
    raise ImproperlyConfigured(
        "PISTON_WEB_THREADS is 1, but one transfer would then hold up all requests. Set it to 2 or"
        " more, or leave it unset (32): an idle thread costs next to nothing."
    )
PISTON_WEB_TRANSFERS = read_integer(  # uploads and downloads at one time, half of them per client
    "PISTON_WEB_TRANSFERS", PISTON_WEB_THREADS * 3 // 4, minimum=1
)
if PISTON_WEB_TRANSFERS >= PISTON_WEB_THREADS:
    raise ImproperlyConfigured(
        f"PISTON_WEB_TRANSFERS ({PISTON_WEB_TRANSFERS}) must be less than PISTON_WEB_THREADS"
        f" ({PISTON_WEB_THREADS}): some threads have to be left for short requests."
    )
PISTON_WEB_CONNECTIONS = read_integer("PISTON_WEB_CONNECTIONS", 4_000, minimum=16)  # per process
PISTON_SLOWEST_BYTES_PER_SECOND = read_integer(  # of a client, after 30 s of grace
    "PISTON_SLOWEST_BYTES_PER_SECOND", 1_024, minimum=1
)

# On SQLite, kept free on the data folder's disk for people's actions when it is full; 0: none
PISTON_RESERVE_BYTES = read_integer("PISTON_RESERVE_BYTES", 8 * 2**20)
