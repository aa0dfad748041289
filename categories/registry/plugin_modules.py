"""Knows which modules belong to a plugin, and which of them Django has read for good."""

from __future__ import annotations

import hashlib
import sys
from contextlib import suppress
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.metadata import packages_distributions
from pathlib import Path
from types import ModuleType

from django.apps import apps
from django.conf import settings

from categories.registry.path_files import SITE_FOLDERS

# The packages of the checkout; a plugin in one of them, such as a test's, is a single module.
OWN_ROOTS = {"benchmarks", "categories", "conftest", "manage", "piston", "tasks_app", "tests"}
READ_BY_DJANGO = ("admin", "apps", "migrations", "models")  # in the package of an app

_digests: dict[str, str] = {}  # of the source of modules that Django has read


def roots_of(module_path: str) -> set[str]:
    """Return the top-level packages and modules that make up the plugin of this module.

    They are those of its distribution. Of a plugin that was not installed, they are the modules in
    the same folder that are loaded.
    """
    root = module_path.partition(".")[0]
    if root in OWN_ROOTS:
        return {module_path}
    found = packages_distributions()
    if owners := set(found.get(root, ())):
        return {name for name, of in found.items() if owners & set(of)} - OWN_ROOTS
    spec = PathFinder.find_spec(root)
    folder = folder_of(spec.origin if spec else None)
    if folder is None or folder.name in SITE_FOLDERS:
        return {root}
    beside = {
        name
        for name, module in list(sys.modules.items())
        if "." not in name and folder_of(getattr(module, "__file__", None)) == folder
    }
    return ({root} | beside) - OWN_ROOTS - {"__main__"}


def folder_of(file: str | None) -> Path | None:
    """Return the folder on the import path that has this top-level module or package."""
    if not file:
        return None
    path = Path(file)
    return path.parents[1] if path.stem == "__init__" else path.parent


def is_within(name: str, packages: set[str]) -> bool:
    """Say whether a module is one of these packages, or lies in one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def take(roots: set[str]) -> dict[str, ModuleType]:
    """Remove the plugin's modules from `sys.modules`, except what Django has read."""
    kept = read_by_django()
    names = [name for name in sys.modules if is_within(name, roots) and not is_within(name, kept)]
    return {name: sys.modules.pop(name) for name in names}


def read_by_django() -> set[str]:
    """Return the modules that may not be imported twice, with all that is below them.

    A second import would register models and admin pages twice.
    """
    configs = list(apps.get_app_configs())
    by_place = {f"{config.name}.{module}" for config in configs for module in READ_BY_DJANGO}
    classes = [*map(type, configs), *apps.get_models()]
    return by_place | {each.__module__ for each in classes}


def attach_kept(roots: set[str]) -> None:
    """Import the packages around modules that were kept, and make these their attributes again."""
    kept = read_by_django()
    for name in sorted(sys.modules):
        if is_within(name, roots) and is_within(name, kept) and "." in name:
            package, _, child = name.rpartition(".")
            setattr(import_module(package), child, sys.modules[name])


# ---- Models that have changed --------------------------------------------------------------------


def remember_models() -> None:
    """Remember the source of the models of plugins, as Django has just read it."""
    for config in apps.get_app_configs():
        if config.name in plugin_apps():
            for name in model_modules(config.name):
                _digests[name] = digest(name)


def plugin_apps() -> set[str]:
    """Return the packages of the Django apps that plugins have brought in."""
    entries = set(settings.PISTON_PLUGIN_APPS)
    return {
        config.name
        for config in apps.get_app_configs()
        if config.name in entries or f"{type(config).__module__}.{type(config).__name__}" in entries
    }


def model_modules(package: str) -> list[str]:
    """Return the loaded modules of an app that have its models."""
    of_models = {model.__module__ for model in apps.get_models()} | {f"{package}.models"}
    inside = [name for name in list(sys.modules) if is_within(name, {package})]
    return [name for name in inside if is_within(name, of_models)]


def find_changed_models(roots: set[str]) -> list[str]:
    """Return the modules of models whose source is not what this process has read."""
    return sorted(
        name for name, known in _digests.items() if is_within(name, roots) and digest(name) != known
    )


def digest(name: str) -> str:
    """Return a checksum of a loaded module's source; "" if there is none."""
    file = getattr(sys.modules.get(name), "__file__", None)
    with suppress(OSError, TypeError):
        return hashlib.sha256(Path(file or "").read_bytes()).hexdigest()
    return ""
