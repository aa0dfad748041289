"""Makes the folder of a new category, with an action and tests that pass."""

from __future__ import annotations

import json
import keyword
import shutil
import sys
from argparse import ArgumentParser
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from categories.contract.declaring import NAME
from categories.registry import loading

TEMPLATES = Path(__file__).parents[1] / "new_category"
MAX_NAME_LENGTH = 100  # characters
# the names that category.py has already
TAKEN_CLASSES = ("Category", "Context", "Effects", "Row", "RowAction", "RowFailed", "Shout",
                 "Succeeded", "TextColumn")  # fmt: skip


class Command(BaseCommand):
    """Make a category."""

    # a category that is broken must not stop an author from making another one
    requires_system_checks: list[str] = []

    help = "Make a category in the current folder: a package NAME with an action and its tests."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("name", help="lower-case letters, digits and _, such as greetings")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make the folder, and print how to go on."""
        name = options["name"]
        folder = Path.cwd() / name
        if problem := find_problem(name, folder):
            raise CommandError(f"{problem} Nothing was made.")
        class_name = name_class(name)
        try:
            make_folder(folder, name, class_name)
        except OSError as error:
            raise CommandError(f"{folder} cannot be made: {error.strerror}.") from error
        files = ", ".join(sorted(path.name for path in folder.iterdir()))
        manage = f"{sys.executable} {settings.BASE_DIR / 'manage.py'}"
        self.stdout.write(
            f"Made {name}/ with {files}.\n"
            f"Test it:      {sys.executable} -m pytest {name}\n"
            f"Register it:  {manage} register_category {name}.category.{class_name}\n"
            "The servers must be able to import it: start them with"
            f" PYTHONPATH={folder.parent}, or install it with pip."
        )


def find_problem(name: str, folder: Path) -> str:
    """Return why no category of this name can be made in the folder; "" if it can."""
    if not NAME.fullmatch(name):
        return f"{name!r} is not lower-case letters, digits and _, beginning with a letter."
    if len(name) > MAX_NAME_LENGTH:
        return f"{name!r} has more than {MAX_NAME_LENGTH} characters."
    if keyword.iskeyword(name):
        return f"{name!r} is a word of Python."
    if name in shipped_names():
        return f"{name!r} is the name of a category that ships."
    if folder.exists() or folder.is_symlink():
        return f"{folder} is there already."
    if find_spec(name) is not None:
        return f"{name!r} is the name of a Python module, which the new one would hide."
    return ""


def shipped_names() -> set[str]:
    """Return the names of the categories that ship and can be loaded."""
    names = set()
    for path in loading.built_in_paths():
        with suppress(loading.CannotLoad):
            names.add(loading.load_category(path).name)
    return names


def name_class(name: str) -> str:
    """Return `Greetings` for `greetings`."""
    class_name = "".join(word.capitalize() for word in name.split("_"))
    return f"{class_name}Category" if class_name in TAKEN_CLASSES else class_name


def make_folder(folder: Path, name: str, class_name: str) -> None:
    """Write the files into a new folder; leave no folder behind if that fails."""
    values = {
        "name": name,
        "class_name": class_name,
        "project": name.strip("_"),
        "checkout": json.dumps(str(settings.BASE_DIR)),
    }
    folder.mkdir()
    try:
        folder.chmod(0o755)  # the servers may run as another user
        for template in TEMPLATES.glob("*.txt"):
            file = folder / template.stem.replace("test_category", f"test_{name}")
            file.write_text(Template(template.read_text()).substitute(values))
            file.chmod(0o644)
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
