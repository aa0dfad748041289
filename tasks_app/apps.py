"""Django's entry to the app."""

from django.apps import AppConfig, apps


class TasksAppConfig(AppConfig):
    """The app that holds tasks and everything that happens to them."""

    name = "tasks_app"
    verbose_name = "Tasks"

    def ready(self) -> None:
        """Register the system checks of the PISTON_* settings; note which schema is ours.

        The storage's module is loaded here, so that what it lacks is said at the start.
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
