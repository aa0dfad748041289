"""Django's configuration of the app."""

from django.apps import AppConfig


class ServicesConfig(AppConfig):
    """Monthly quantities of accounts."""

    name = "categories.services"
    label = "services"
    verbose_name = "Services"
