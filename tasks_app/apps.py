"""Django's configuration of the app."""

from django.apps import AppConfig, apps


class TasksAppConfig(AppConfig):
    """The app that holds tasks and everything that happens to them."""

    name = "tasks_app"
    verbose_name = "Tasks"

    def ready(self) -> None:
        """Register the system checks, and remember which apps make up the expected schema.

        Loads the storage's module, so that a missing dependency shows at the start.
        """
        from django.conf import settings
        from django.utils.module_loading import import_string

        from piston.database.schema import schema
        from tasks_app import checks  # noqa: F401

        import_string(settings.STORAGES["default"]["BACKEND"])
        schema.remember(
            config
            for config in apps.get_app_configs()
            if config.name.startswith("piston.") or config.name in {"categories", "tasks_app"}
        )
