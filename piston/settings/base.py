"""The settings that all others use: the data folder, database and broker URLs, apps, the log.

No variable has to be set. Without DATABASE_URL and CELERY_BROKER_URL, everything is in one folder
(`PISTON_DATA_DIR`), with SQLite and a folder as broker: the *embedded default*.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

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

BASE_DIR = Path(__file__).resolve().parents[2]
VERSION = "0.1.0"

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
    """Return SECRET_KEY; the embedded default makes one, and keeps it in the data folder."""
    if not DATABASE_IS_EMBEDDED:
        return read_text("SECRET_KEY")
    keep = PISTON_DATA_DIR / "secret_key"
    if not keep.exists():  # several processes may start at once: the first complete key counts
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
if is_loopback(PISTON_BIND_ADDRESS):  # every client is on this machine, and uses these names
    ALLOWED_HOSTS += [".localhost", "127.0.0.1", "[::1]", in_brackets(PISTON_BIND_ADDRESS)]
CSRF_TRUSTED_ORIGINS = read_list("CSRF_TRUSTED_ORIGINS")  # for the admin behind a TLS proxy

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

PISTON_CATEGORIES = read_list(  # dotted paths of the categories that we ship
    "PISTON_CATEGORIES",
    [
        "categories.number_management.category.NumberManagement",
        "categories.services.category.Services",
        "categories.rates.category.Rates",
    ],
)

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

LOG_LEVEL = read_text("LOG_LEVEL", "INFO")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "piston.masking.MaskingFormatter",
            "format": "%(asctime)s %(levelname)s %(name)s %(message)s",
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    # these log two lines for every message and one for every tick: several a second, without news
    "loggers": {
        name: {"level": "DEBUG" if LOG_LEVEL == "DEBUG" else "WARNING"}
        for name in ("celery.worker.strategy", "celery.app.trace", "celery.beat")
    }
    # axes logs a line for every attempt; piston.http.admin_sign_in logs the locks
    | {"axes": {"level": "ERROR"}}
    # any client can cause it, and the 400 names it: no trace for every odd Host
    | {"django.security.DisallowedHost": {"level": "CRITICAL"}},
}
