"""Imports a category from a dotted path; a plugin always from its current code."""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from django.apps import apps
from django.conf import settings as django_settings

from categories.contract import Category, settings
from categories.errors import CategoryError
from categories.registry import fresh_source, path_files, plugin_modules
from piston.plugin_apps import ENTRY_POINT_GROUP, find_app_package

RESTART = "run `manage.py migrate`, then restart web, worker and beat"


class CannotLoad(CategoryError):
    """The dotted path does not lead to a category."""

    code = "cannot_load"


def built_in_paths() -> list[str]:
    """Return the dotted paths of the categories that ship."""
    return list(django_settings.PISTON_CATEGORIES)


def package_paths() -> dict[str, str]:
    """Return the dotted paths that installed packages announce, each with its entry point's name.

    This reads the disk each time (2 ms), so that a package is noticed when it comes and goes.
    """
    path_files.follow()
    importlib.invalidate_caches()
    found = importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)
    return {path_of(entry.value): entry.name for entry in sorted(found)}


def path_of(value: str) -> str:
    """Return `package.module.Class` for an entry point's `package.module:Class`."""
    return value.partition("[")[0].replace(":", ".").replace(" ", "")


def load_category(dotted_path: str) -> type[Category]:
    """Import the category at `package.module.Class`; raise CannotLoad with the reason."""
    module_path, class_name = split(dotted_path)
    importlib.invalidate_caches()
    with plugin_errors(module_path):
        module = importlib.import_module(module_path)
    category = getattr(module, class_name, None)
    if not (isinstance(category, type) and issubclass(category, Category)):
        raise CannotLoad(f"{dotted_path} is not a Category class.")
    if problems := list(settings.find_problems(category)):
        raise CannotLoad(" ".join(problems))
    return category


def split(dotted_path: str) -> tuple[str, str]:
    """Return the module and the class of `package.module.Class`; raise CannotLoad for others."""
    module_path, _, class_name = dotted_path.rpartition(".")
    if not all(name.isidentifier() for name in dotted_path.split(".")) or not module_path:
        raise CannotLoad(f"{dotted_path!r} is not a dotted path like package.module.Class.")
    return module_path, class_name


@contextmanager
def plugin_errors(module_path: str) -> Iterator[None]:
    """Turn whatever a plugin's modules raise into CannotLoad."""
    try:
        yield
    except CategoryError as error:  # has file and line already
        raise CannotLoad(str(error)) from error
    except (Exception, SystemExit) as error:
        raise CannotLoad(f"{module_path}: {describe_error(error)}") from error


def reload_category(dotted_path: str) -> type[Category]:
    """Import the category of a plugin from its current code; if that fails, raise CannotLoad.

    All modules of the plugin are imported again except its models, which Django reads only at
    start-up. After a failure the old modules are back, for code that still runs.
    """
    module_path, _ = split(dotted_path)
    importlib.invalidate_caches()
    roots = plugin_modules.roots_of(module_path)
    require_app(module_path)
    require_same_models(roots)
    fresh_source.import_from_source(roots - plugin_modules.OWN_ROOTS)
    old_modules = plugin_modules.take(roots)
    try:
        with plugin_errors(module_path):
            plugin_modules.attach_kept(roots)
        return load_category(dotted_path)
    except BaseException:  # a plugin may raise anything
        plugin_modules.take(roots)
        sys.modules.update(old_modules)
        raise


def require_app(module_path: str) -> None:
    """Raise CannotLoad if the plugin has a Django app that this process has not loaded."""
    package = find_app_package(module_path)
    if package is None or any(config.name == package for config in apps.get_app_configs()):
        return
    raise CannotLoad(
        f"It has models of its own: this process has started without the Django app {package}."
        f" Name it in PISTON_APPS, unless an entry point of its package announces the category;"
        f" {RESTART}."
    )


def require_same_models(roots: set[str]) -> None:
    """Raise CannotLoad if the plugin's models are not those that this process has read."""
    if changed := plugin_modules.find_changed_models(roots):
        raise CannotLoad(
            f"Its models ({', '.join(changed)}) have changed since this process started: {RESTART}."
        )


def describe_error(error: BaseException) -> str:
    """Return the type and text of an error, and the line that raised it."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f" ({place.tb_frame.f_code.co_filename}:{place.tb_lineno})" if place else ""
    hint = f" Name its app in PISTON_APPS; {RESTART}." if "INSTALLED_APPS" in str(error) else ""
    return f"{type(error).__name__}: {error}{where}{hint}"
