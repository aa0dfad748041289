"""Which values does this installation run with? All come from the environment, all are read here.

Nothing has to be set: without DATABASE_URL and CELERY_BROKER_URL everything lives in one folder
(`PISTON_DATA_DIR`) on SQLite and a folder as broker, the *embedded default*.
"""

from __future__ import annotations

import os
import secrets
import socket
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import dj_database_url
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from django.core.exceptions import ImproperlyConfigured

from piston import data_folder
from piston.environment import (
    in_brackets,
    is_loopback,
    read_boolean,
    read_folder,
    read_integer,
    read_list,
    read_text,
)

BASE_DIR = Path(__file__).resolve().parent.parent
VERSION = "0.1.0"

# ---- Where things live -----------------------------------------------------------------------

PISTON_DATA_DIR = read_folder("PISTON_DATA_DIR", BASE_DIR / "var")
data_folder.prepare(PISTON_DATA_DIR)

DATABASE_URL = read_text(
    "DATABASE_URL", f"sqlite:///{quote(str(PISTON_DATA_DIR / 'piston.sqlite3'))}"
)
CELERY_BROKER_URL = read_text("CELERY_BROKER_URL", "filesystem://localhost//")
DATABASE_IS_EMBEDDED = DATABASE_URL.startswith("sqlite:")
BROKER_IS_EMBEDDED = CELERY_BROKER_URL.startswith("filesystem:")

PORT = read_integer("PORT", 8000, minimum=1, maximum=65_535)


def read_secret_key() -> str:
    """Return SECRET_KEY; the embedded default makes its own once, kept in the data folder."""
    if not DATABASE_IS_EMBEDDED:
        return read_text("SECRET_KEY")
    keep = PISTON_DATA_DIR / "secret_key"
    if not keep.exists():  # several processes may start at once: the first whole key counts
        fresh = keep.with_suffix(f".{os.getpid()}")
        try:
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(50))
            with suppress(FileExistsError):
                os.link(fresh, keep)
        finally:
            fresh.unlink(missing_ok=True)
    return read_text("SECRET_KEY", keep.read_text())


SECRET_KEY = read_secret_key()
DEBUG = read_boolean("DEBUG", default=False)
PISTON_BIND_ADDRESS = read_text("PISTON_BIND_ADDRESS", "127.0.0.1")
ALLOWED_HOSTS = read_list("ALLOWED_HOSTS", ["*"] if DATABASE_IS_EMBEDDED else [])
if is_loopback(PISTON_BIND_ADDRESS):  # whoever asks is on this machine, and names it as it does
    ALLOWED_HOSTS += [".localhost", "127.0.0.1", "[::1]", in_brackets(PISTON_BIND_ADDRESS)]
CSRF_TRUSTED_ORIGINS = read_list("CSRF_TRUSTED_ORIGINS")  # for the admin behind a TLS proxy

# ---- Django ----------------------------------------------------------------------------------

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "corsheaders",
    "rest_framework",
    "django_celery_results",
    "axes",
    "piston.installation",
    "piston.accounts",
    "piston.http",
    "categories",
    "categories.number_management",
    "categories.services",
    "categories.rates",
    "tasks_app",
]

MIDDLEWARE = [
    "piston.http.middleware.RequestIdMiddleware",  # outermost: every answer carries the id
    "piston.http.middleware.HeadMiddleware",
    "piston.http.middleware.EnvelopeMiddleware",  # no HTML page ever leaves /v2/
    "corsheaders.middleware.CorsMiddleware",
    "piston.http.middleware.HostMiddleware",
    "piston.http.forms.FormMiddleware",  # before anything reads a form
    "django.middleware.security.SecurityMiddleware",
    "piston.http.middleware.StreamMiddleware",  # may need the database: inside the envelope
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",  # answers whoever may not sign in to the admin
]

ROOT_URLCONF = "piston.urls"
WSGI_APPLICATION = "piston.wsgi.application"
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]  # no files
APPEND_SLASH = False  # a redirect would lose the body of a PUT
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True  # straight from the packages; no collectstatic step
WHITENOISE_AUTOREFRESH = False

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"  # where a `next` that is refused leads to
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",  # first: no password is looked at while it refuses
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator")
]

# ---- The admin's sign-in: how it is counted is in piston/http/admin_sign_in.py -----------------

AXES_HANDLER = "piston.http.admin_sign_in.CountFirst"
AXES_CLIENT_IP_CALLABLE = "piston.http.admin_sign_in.find_address"
AXES_LOCKOUT_CALLABLE = "piston.http.admin_sign_in.answer_locked"
AXES_COOLOFF_TIME = timedelta(minutes=30)
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # or nobody could wait for its end
AXES_VERBOSE = False

# ---- Limits and periods, each with its unit ----------------------------------------------------

PISTON_MAX_UPLOAD_BYTES = read_integer("PISTON_MAX_UPLOAD_BYTES", 5 * 2**30, minimum=1)  # else 413
PISTON_MAX_EXPANDED_BYTES = read_integer("PISTON_MAX_EXPANDED_BYTES", 5 * 2**30, minimum=1)  # gzip
PISTON_MAX_JSON_BYTES = read_integer(  # else 413
    "PISTON_MAX_JSON_BYTES", min(512 * 2**20, PISTON_MAX_UPLOAD_BYTES), minimum=1
)
PISTON_MAX_COLUMNS = read_integer("PISTON_MAX_COLUMNS", 1_000, minimum=1)
PISTON_MAX_CELL_BYTES = read_integer("PISTON_MAX_CELL_BYTES", 2**20, minimum=1)
PISTON_MAX_ROWS = read_integer("PISTON_MAX_ROWS", 50_000_000, minimum=1)

# What one account may make grow; 0: without a limit
PISTON_MAX_TASKS_PER_ACCOUNT = read_integer("PISTON_MAX_TASKS_PER_ACCOUNT", 1_000_000)  # else 429
PISTON_MAX_STORED_BYTES_PER_ACCOUNT = read_integer(  # in files; else 413
    "PISTON_MAX_STORED_BYTES_PER_ACCOUNT", 2**40
)
PISTON_MAX_OUTPUT_BYTES = read_integer("PISTON_MAX_OUTPUT_BYTES", 50 * 2**30)  # of one task
PISTON_MAX_TOKENS_PER_ACCOUNT = read_integer("PISTON_MAX_TOKENS_PER_ACCOUNT", 10_000)  # else 429

PISTON_CLAIM_SECONDS = read_integer("PISTON_CLAIM_SECONDS", 20, minimum=2)  # then work is free
PISTON_SWEEP_SECONDS = read_integer("PISTON_SWEEP_SECONDS", 5, minimum=1)  # between two sweeps
PISTON_SLICE_MILLISECONDS = read_integer("PISTON_SLICE_MILLISECONDS", 1_000, minimum=1)
PISTON_SHUTDOWN_SECONDS = read_integer("PISTON_SHUTDOWN_SECONDS", 3)  # for the row in hand, at TERM
PISTON_TASK_KEEP_DAYS = read_integer("PISTON_TASK_KEEP_DAYS", 0)  # after its end; 0: until deleted

PISTON_UNFIT_SECONDS = read_integer("PISTON_UNFIT_SECONDS", 86_400)  # for a worker that fits

PISTON_EVENT_KEEP_DAYS = read_integer("PISTON_EVENT_KEEP_DAYS", 90)  # after its task; 0: for ever

PISTON_TOKEN_SECONDS = read_integer("PISTON_TOKEN_SECONDS", 3_600, minimum=60)
PISTON_SIGN_INS_PER_MINUTE = read_integer("PISTON_SIGN_INS_PER_MINUTE", 30, minimum=1)  # per client
PISTON_REQUESTS_PER_MINUTE = read_integer("PISTON_REQUESTS_PER_MINUTE", 3_000, minimum=1)  # same
PISTON_TRUSTED_PROXIES = read_integer("PISTON_TRUSTED_PROXIES", 0)  # how many add X-Forwarded-For

# Threads of a web process. An upload or a download holds one for as long as it takes
PISTON_WEB_THREADS = read_integer("PISTON_WEB_THREADS", 32, minimum=1)
if PISTON_WEB_THREADS == 1:  # was possible before there were places for transfers
    raise ImproperlyConfigured(
        "PISTON_WEB_THREADS is 1, but one transfer would then hold up all requests. Set it to 2 or"
        " more, or leave it unset (32): an idle thread costs next to nothing."
    )
PISTON_WEB_TRANSFERS = read_integer(  # uploads and downloads at one time, of them half per client
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

# Of the data folder's disk, on SQLite, for what people do when it is full; 0: none
PISTON_RESERVE_BYTES = read_integer("PISTON_RESERVE_BYTES", 8 * 2**20)

PISTON_CATEGORIES = read_list(  # dotted paths of the categories that ship
    "PISTON_CATEGORIES",
    [
        "categories.number_management.category.NumberManagement",
        "categories.services.category.Services",
        "categories.rates.category.Rates",
    ],
)

# ---- Database ----------------------------------------------------------------------------------


def read_database() -> dict[str, Any]:
    """Return Django's settings for DATABASE_URL, with what the ledger relies on."""
    try:
        database: dict[str, Any] = dict(dj_database_url.parse(DATABASE_URL))
    except (ValueError, dj_database_url.ParseError) as error:
        raise ImproperlyConfigured(f"DATABASE_URL cannot be read: {error}") from error
    options = database.setdefault("OPTIONS", {})
    if database["ENGINE"] == "django.db.backends.sqlite3":
        data_folder.prepare_database(Path(database["NAME"]))
        database["ENGINE"] = "piston.sqlite"  # Django's, and room for it on a full disk
        options |= {
            # a read that turns into a write fails at once unless the lock is taken at BEGIN
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
        }
    elif database["ENGINE"] == "django.db.backends.postgresql":
        database["ENGINE"] = "piston.postgresql"  # Django's, and sessions that are ours
        claim_milliseconds = PISTON_CLAIM_SECONDS * 1000
        options |= {
            "connect_timeout": 5,
            # whoever is cut off from the database without a word finds out within a claim:
            # by what it sent and nobody received (ms), or by asking while it waits for a reply (s)
            "tcp_user_timeout": claim_milliseconds,
            "keepalives_idle": max(1, PISTON_CLAIM_SECONDS // 2),
            "keepalives_interval": max(1, PISTON_CLAIM_SECONDS // 6),
            "keepalives_count": 3,
            # of each session, in ms, whatever its role has; 0 is without end
            "session": {
                # less than most rows may take: waiting for a lock is not the row's time
                "lock_timeout": min(5_000, claim_milliseconds),
                # a worker that was frozen in mid-transaction must not hold its locks for ever
                "idle_in_transaction_session_timeout": claim_milliseconds,
                "statement_timeout": 0,
                "transaction_timeout": 0,
                "idle_session_timeout": 0,
            },
        }
        # Celery closes connections after each message; this serves the web's threads
        database |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
    else:
        raise ImproperlyConfigured("DATABASE_URL must begin with sqlite:// or postgres://.")
    return database


DATABASES = {"default": read_database()}

CACHE_URL = read_text("CACHE_URL", "")  # redis://…: throttles then count over all web processes
CACHES = {
    "default": (
        {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": CACHE_URL,
            # seconds; a frozen cache never holds up a request for longer
            "OPTIONS": {"socket_timeout": 1, "socket_connect_timeout": 1},
        }
        if CACHE_URL
        else {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
            "OPTIONS": {"MAX_ENTRIES": 100_000},  # else counts of clients get lost
        }
    )
}

# ---- Files -------------------------------------------------------------------------------------

PISTON_S3_BUCKET = read_text("PISTON_S3_BUCKET", "")  # empty: a folder below PISTON_DATA_DIR


def read_storage(bucket: str) -> dict[str, Any]:
    """Return the backend that keeps the tasks' files: a folder, or this bucket."""
    if not bucket:
        folder = PISTON_DATA_DIR / "files"
        return {
            "BACKEND": "piston.file_storage.SyncedFileStorage",
            "OPTIONS": {
                "location": str(folder),
                "file_permissions_mode": 0o600,
                "directory_permissions_mode": 0o700,
            },
        }
    return {
        "BACKEND": "piston.object_storage.CheckedS3Storage",
        "OPTIONS": {
            "bucket_name": bucket,
            "endpoint_url": read_text("PISTON_S3_ENDPOINT_URL", "") or None,
            "region_name": read_text("PISTON_S3_REGION", "us-east-1"),
            "access_key": read_text("AWS_ACCESS_KEY_ID", "") or None,
            "secret_key": read_text("AWS_SECRET_ACCESS_KEY", "") or None,
            "default_acl": None,
            # an upload is read where its request is: a thread's database connection is its own
            "transfer_config": TransferConfig(use_threads=False),
            "client_config": Config(
                connect_timeout=5,  # seconds
                read_timeout=30,
                retries={"max_attempts": 3, "mode": "standard"},
            ),
        },
    }


STORAGES = {
    "default": read_storage(PISTON_S3_BUCKET),
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

# ---- HTTP --------------------------------------------------------------------------------------

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["piston.accounts.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["piston.http.envelope.EnvelopeRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_THROTTLE_CLASSES": ["piston.http.throttling.RequestThrottle"],
    "DEFAULT_THROTTLE_RATES": {
        "requests": f"{PISTON_REQUESTS_PER_MINUTE}/minute",
        "sign_ins": f"{PISTON_SIGN_INS_PER_MINUTE}/minute",
    },
    "NUM_PROXIES": PISTON_TRUSTED_PROXIES,
    "EXCEPTION_HANDLER": "piston.http.errors.to_response",
    "UNAUTHENTICATED_USER": None,
}

CORS_URLS_REGEX = r"^/v2/.*$"
CORS_ALLOWED_ORIGINS = read_list("CORS_ALLOWED_ORIGINS")
CORS_ALLOW_ALL_ORIGINS = not CORS_ALLOWED_ORIGINS  # tokens travel in a header, never in a cookie
CORS_ALLOW_HEADERS = [
    "accept", "authorization", "cache-control", "content-encoding", "content-type", "if-match",
    "if-none-match", "if-range", "range", "x-auth-token", "x-request-id",
]  # fmt: skip
CORS_EXPOSE_HEADERS = [
    "accept-ranges", "allow", "content-disposition", "content-range", "etag", "retry-after",
    "x-request-id",
]  # fmt: skip
CORS_ALLOW_METHODS = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "PUT"]

SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
if read_boolean("PISTON_BEHIND_TLS", default=False):  # a proxy ends TLS in front of gunicorn
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True

# ---- Celery: reasons in docs/operating.md ------------------------------------------------------

CELERY_TASK_SERIALIZER = "json"
CELERY_RESULT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]  # never pickle
CELERY_TIMEZONE = "UTC"
CELERY_RESULT_BACKEND = "django-db"  # a log for staff; the product never reads it
CELERY_RESULT_EXTENDED = True  # name and arguments, so that a message is linked to its task
CELERY_RESULT_EXPIRES = timedelta(days=7)
CELERY_TASK_IGNORE_RESULT = True  # only messages that failed, and sign-posted ones, are kept
CELERY_TASK_STORE_ERRORS_EVEN_IF_IGNORED = True
CELERY_TASK_ACKS_LATE = True  # a dead worker's message comes back; the ledger makes it harmless
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_ACKS_ON_FAILURE = True  # an error is in the log; the sweeper sends again
CELERY_TASK_ACKS_ON_TIMEOUT = True
CELERY_TASK_TIME_LIMIT = 300  # seconds; a slice is about one. The end of a row that never returns
CELERY_WORKER_PREFETCH_MULTIPLIER = 1  # no slice waits behind a busy process
CELERY_WORKER_CONCURRENCY = read_integer("PISTON_WORKER_PROCESSES", 2, minimum=1)
CELERY_WORKER_MAX_TASKS_PER_CHILD = 2_000  # bounds leaks of plugins; about half an hour
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 500_000  # KiB, looked at between two slices
CELERY_WORKER_PROC_ALIVE_TIMEOUT = 20  # seconds; a new one that is not up by then is replaced
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
# Its queue is locked for as long as RabbitMQ believes in a connection that is gone; a worker that
# was cut off and connects again would end
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = PISTON_SHUTDOWN_SECONDS  # with REMAP_SIGTERM=SIGQUIT
CELERY_WORKER_CONSUMER = "piston.consumer:Consumer"  # waits, whatever the broker's trouble is
CELERY_BROKER_CHANNEL_ERROR_RETRY = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_CONNECTION_TIMEOUT = 3  # seconds
CELERY_BROKER_HEARTBEAT = 10  # seconds; RabbitMQ: after two, either side gives the other up
# As they are typed; on the broker they end with the installation's id (piston/queues.py)
CELERY_TASK_DEFAULT_QUEUE = "piston.slices"
CELERY_TASK_ROUTES = {
    "tasks_app.sweep": {"queue": "piston.upkeep"},
    "tasks_app.check_storage": {"queue": "piston.upkeep"},
}
CELERY_TASK_PUBLISH_RETRY = False  # what is not sent is found by the sweeper
CELERY_BEAT_SCHEDULER = "piston.beat:Scheduler"  # no file: what is due stands in the database
CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "tasks_app.sweep", "schedule": float(PISTON_SWEEP_SECONDS)},
}


# A worker waits for messages in silence; so it finds out within 20 s that nobody is there (seconds)
KEEPALIVE = (
    {socket.TCP_KEEPIDLE: 10, socket.TCP_KEEPINTVL: 3, socket.TCP_KEEPCNT: 3}
    if hasattr(socket, "TCP_KEEPIDLE")
    else {}
)


def read_broker_options() -> dict[str, Any]:
    """Return the transport options of the broker in CELERY_BROKER_URL."""
    scheme = CELERY_BROKER_URL.split(":", 1)[0]
    if scheme == "filesystem":
        messages = PISTON_DATA_DIR / "messages"
        for name in ("queue", "control", "done"):
            (messages / name).mkdir(parents=True, exist_ok=True)
        return {
            "data_folder_in": str(messages / "queue"),
            "data_folder_out": str(messages / "queue"),
            "control_folder": str(messages / "control"),
            "processed_folder": str(messages / "done"),
        }
    if scheme in {"redis", "rediss"}:
        return {
            "visibility_timeout": 120,  # seconds; slices last one, so recovery may be quick
            "socket_timeout": 5,
            "socket_connect_timeout": 3,
            "socket_keepalive": True,
            "socket_keepalive_options": KEEPALIVE,
            "unacked_restore_interval": 10,
            "unacked_restore_throttle": 1,
        }
    if scheme in {"amqp", "amqps", "pyamqp"}:
        return {"confirm_publish": True, "read_timeout": 5, "write_timeout": 5}
    raise ImproperlyConfigured(
        f"CELERY_BROKER_URL must begin with filesystem://, amqp:// or redis://, not {scheme}://."
    )


CELERY_BROKER_TRANSPORT_OPTIONS = read_broker_options()
if CELERY_BROKER_URL.startswith(("amqp", "pyamqp")):
    CELERY_TASK_DEFAULT_QUEUE_TYPE = "quorum"  # survives the loss of a broker node
    CELERY_TASK_DEFAULT_EXCHANGE_TYPE = "topic"  # a direct one makes quorum queues misbehave
    CELERY_WORKER_DETECT_QUORUM_QUEUES = True

# ---- Logs --------------------------------------------------------------------------------------

LOG_LEVEL = read_text("LOG_LEVEL", "INFO")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    # two lines for every message, and one for every tick: several a second, of no news
    "loggers": {
        name: {"level": "DEBUG" if LOG_LEVEL == "DEBUG" else "WARNING"}
        for name in ("celery.worker.strategy", "celery.app.trace", "celery.beat")
    }
    # a line for every attempt; what matters is said by piston.http.admin_sign_in
    | {"axes": {"level": "ERROR"}}
    # a client's doing, and said again with the 400: no trace for every odd Host
    | {"django.security.DisallowedHost": {"level": "CRITICAL"}},
}
