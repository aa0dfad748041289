"""Django's configuration of the app."""

from django.apps import AppConfig


class NumberManagementConfig(AppConfig):
    """Telephone numbers and the history of their changes."""

    name = "categories.number_management"
    label = "number_management"
    verbose_name = "Number management"
