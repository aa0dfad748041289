"""Django's configuration of the app."""

from django.apps import AppConfig


class RatesConfig(AppConfig):
    """Ratedecks and rates."""

    name = "categories.rates"
    label = "rates"
    verbose_name = "Rates"
