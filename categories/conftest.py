"""What do the tests beside the categories find in place? The same as all others."""

from tests.conftest import django_db_modify_db_settings, empty_cache

__all__ = ["django_db_modify_db_settings", "empty_cache"]
