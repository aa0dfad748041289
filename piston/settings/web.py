"""The settings of the web: middleware, the API's defaults, and signing in to the admin."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from piston.environment import read_boolean, read_list
from piston.settings.base import BASE_DIR
from piston.settings.limits import (
    PISTON_REQUESTS_PER_MINUTE,
    PISTON_SIGN_INS_PER_MINUTE,
    PISTON_TRUSTED_PROXIES,
)

MIDDLEWARE = [
    "piston.http.middleware.RequestIdMiddleware",  # outermost: every answer has the id
    "piston.http.middleware.HeadMiddleware",
    "piston.http.middleware.EnvelopeMiddleware",  # no answer below /v2/ is an HTML page
    "corsheaders.middleware.CorsMiddleware",
    "piston.http.middleware.HostMiddleware",
    "piston.http.forms.FormMiddleware",  # before other middleware reads a form
    "django.middleware.security.SecurityMiddleware",
    "piston.http.middleware.StreamMiddleware",  # may need the database: inside the envelope
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",  # answers sign-ins to the admin that are locked
]

ROOT_URLCONF = "piston.urls"
WSGI_APPLICATION = "piston.wsgi.application"
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]  # no files
APPEND_SLASH = False  # a redirect would lose the body of a PUT
STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True  # serves from the packages, without a collectstatic step
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
CORS_ALLOW_ALL_ORIGINS = not CORS_ALLOWED_ORIGINS  # safe: tokens are in a header, never in a cookie
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

# ---- Signing in to the admin --------------------------------------------------------------------

LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"  # in place of a refused `next`
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",  # first: while it refuses, no password is checked
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator")
]

# piston/http/admin_sign_in.py counts the failures
AXES_HANDLER = "piston.http.admin_sign_in.CountFirst"
AXES_CLIENT_IP_CALLABLE = "piston.http.admin_sign_in.find_address"
AXES_LOCKOUT_CALLABLE = "piston.http.admin_sign_in.answer_locked"
AXES_COOLOFF_TIME = timedelta(minutes=30)
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # otherwise a lock might never end
AXES_VERBOSE = False
