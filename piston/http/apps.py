"""Django's configuration of this app."""

from django.apps import AppConfig


class HttpConfig(AppConfig):
    """What every endpoint shares; it has no models."""

    name = "piston.http"
    label = "piston_http"
    verbose_name = "HTTP"
