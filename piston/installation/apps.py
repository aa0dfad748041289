"""Django's configuration of this app."""

from django.apps import AppConfig


class InstallationConfig(AppConfig):
    """The id of this installation."""

    name = "piston.installation"
    label = "installation"
    verbose_name = "Installation"
