"""How does Django know this app?"""

from django.apps import AppConfig


class NumberManagementConfig(AppConfig):
    """Telephone numbers and the register of their changes."""

    name = "categories.number_management"
    label = "number_management"
    verbose_name = "Number management"
