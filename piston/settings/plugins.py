"""The Django apps of plugins, which bring models of their own."""

from __future__ import annotations

from piston.environment import read_list
from piston.plugin_apps import find_apps
from piston.settings.base import INSTALLED_APPS

PISTON_APPS = read_list("PISTON_APPS")
PISTON_PLUGIN_APPS = find_apps(PISTON_APPS, INSTALLED_APPS)  # also those of installed packages
INSTALLED_APPS += PISTON_PLUGIN_APPS
