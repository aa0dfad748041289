"""Imports a category from a dotted path; a plugin always from its current code."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType

from django.apps import apps
from django.conf import settings as django_settings

from categories.contract import Category, settings
from categories.errors import CategoryError
from categories.locations import Location
from categories.registry import fresh_source, path_files, plugin_modules
from piston.masking import mask
from piston.plugin_apps import find_app_package, read_entry_points

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
    return {path_of(entry.value): entry.name for entry in sorted(read_entry_points())}


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
        raise CannotLoad(f"{dotted_path} is not a Category class{suggest(dotted_path, module)}")
    if problems := list(settings.find_problems(category)):
        raise CannotLoad(" ".join(problems))
    return category


def suggest(dotted_path: str, module: ModuleType) -> str:
    """Return ": did you mean …?" with a category of the module, or of the module that was named."""
    with suppress(Exception, SystemExit):
        module = importlib.import_module(dotted_path)
    for name, value in vars(module).items():
        is_own = getattr(value, "__module__", None) == module.__name__
        if is_own and isinstance(value, type) and issubclass(value, Category):
            return f": did you mean {module.__name__}.{name}?"
    return "."


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
        raise CannotLoad(f"{module_path}: {describe_error(error, module_path)}") from error


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


def describe_error(error: BaseException, module_path: str) -> str:
    """Return the type and text of an error, the plugin's line that led to it, and a remedy."""
    text, place = str(error), find_place(error, module_path.partition(".")[0])
    if isinstance(error, SyntaxError) and error.filename:
        text, place = error.msg, Location(error.filename, error.lineno or 1)
    where = f" ({place.file}:{place.line})" if place else ""
    return mask(f"{type(error).__name__}: {text}{where}{find_remedy(error, module_path)}")


def find_place(error: BaseException, root: str) -> Location | None:
    """Return the innermost line of the plugin on the way to an error; None if there is none.

    Its lines are those of its package and of the folder of its first module.
    """
    folder, place = None, None
    for frame, line in traceback.walk_tb(error.__traceback__):
        file = frame.f_code.co_filename
        if str(frame.f_globals.get("__name__")).partition(".")[0] == root:
            folder = folder or Path(file).parent
        elif folder is None or folder not in Path(file).parents:
            continue
        place = Location(file, line)
    return place


def find_remedy(error: BaseException, module_path: str) -> str:
    """Return how an error of known cause is mended, as the end of a sentence; "" for others."""
    names = module_path.split(".")
    if "INSTALLED_APPS" in str(error):
        app = names[0] if names[1:] else "its app"
        return f"; it has models of its own: name {app} in PISTON_APPS, {RESTART}."
    if isinstance(error, ModuleNotFoundError) and error.name == names[0]:
        return "; install it with pip, or start each process with its folder in PYTHONPATH."
    return ""
