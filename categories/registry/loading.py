"""Imports a category from a dotted path, and reloads it if its code has changed."""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
from types import ModuleType

from django.conf import settings as django_settings

from categories.contract import Category, settings
from categories.errors import CategoryError

ENTRY_POINT_GROUP = "piston.categories"
# never reloaded, because a second import would register models and apps with Django twice
KEPT_MODULES = {"models", "migrations", "apps"}


class CannotLoad(CategoryError):
    """The dotted path does not lead to a category."""

    code = "cannot_load"


def built_in_paths() -> list[str]:
    """Return the dotted paths of the categories that ship."""
    return list(django_settings.PISTON_CATEGORIES)


def package_paths() -> list[str]:
    """Return the dotted paths that installed packages announce as `piston.categories`."""
    importlib.invalidate_caches()
    found = importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)
    return sorted({entry.value.replace(":", ".") for entry in found})


def load_category(dotted_path: str) -> type[Category]:
    """Import the category at `package.module.Class`; raise CannotLoad with the reason."""
    module_path, _, class_name = dotted_path.rpartition(".")
    if not module_path:
        raise CannotLoad(f"{dotted_path!r} is not a dotted path like package.module.Class.")
    importlib.invalidate_caches()
    try:
        module = importlib.import_module(module_path)
    except CategoryError as error:  # has file and line already
        raise CannotLoad(str(error)) from error
    except (Exception, SystemExit) as error:  # a plugin's module may raise anything
        raise CannotLoad(f"{module_path}: {describe_error(error)}") from error
    category = getattr(module, class_name, None)
    if not (isinstance(category, type) and issubclass(category, Category)):
        raise CannotLoad(f"{dotted_path} is not a Category class.")
    if problems := list(settings.find_problems(category)):
        raise CannotLoad(" ".join(problems))
    return category


def reload_category(dotted_path: str) -> type[Category]:
    """Import the category from its current code; if that fails, keep the old code.

    Reloads all modules of the plugin's package except its models, which Django reads only at
    start-up.
    """
    module_path = dotted_path.rpartition(".")[0]
    package = module_path.rpartition(".")[0]
    if package in {"", "categories"}:
        package = module_path  # a plugin of a single file
    old_modules = take_modules(package)
    try:
        return load_category(dotted_path)
    except CannotLoad:
        take_modules(package)
        sys.modules.update(old_modules)
        raise


def take_modules(package: str) -> dict[str, ModuleType]:
    """Remove the modules of a package from `sys.modules`, and return them."""
    names = [
        name
        for name in sys.modules
        if (name == package or name.startswith(f"{package}."))
        and not KEPT_MODULES & set(name.removeprefix(package).split("."))
    ]
    return {name: sys.modules.pop(name) for name in names}


def describe_error(error: BaseException) -> str:
    """Return the type and text of an error, and the line that raised it."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f" ({place.tb_frame.f_code.co_filename}:{place.tb_lineno})" if place else ""
    return f"{type(error).__name__}: {error}{where}"
