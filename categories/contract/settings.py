"""The settings of a category: declared by its author, read from the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from categories.columns import Column
from categories.columns.arguments import Declared, did_you_mean
from categories.errors import BadSetting, CellError
from categories.locations import Location
from piston import environment, masking

if TYPE_CHECKING:
    from categories.contract import Action, Category

REQUIRED: Final[Any] = object()  # stands for a default that is not there


class Setting(metaclass=Declared):
    """A value that whoever runs the installation sets for a category.

    The column says what the value is for, and which values are right. Without a default, the
    setting is required; None is a default, too. A secret is never shown.
    """

    location: Location  # of its declaration

    def __init__(
        self, column: Column[Any], *, default: Any = REQUIRED, secret: bool = False
    ) -> None:
        self.column = column
        self.default = default
        self.secret = secret

    @property
    def is_required(self) -> bool:
        """Must it be set?"""
        return self.default is REQUIRED

    def has_good_default(self) -> bool:
        """Is the default a value of the column?"""
        if self.default is REQUIRED or self.default is None:
            return True
        try:
            return bool(self.column.parse(self.column.format(self.default)) == self.default)
        except (CellError, TypeError, ValueError, AttributeError):  # of another type
            return False

    def show(self, value: Any) -> str:
        """Return a value as people may see it."""
        if value is None:
            return ""
        return masking.MASK if self.secret else self.column.format(value)


def variable_of(category: str, setting: str) -> str:
    """Return the environment variable of a setting."""
    return f"PISTON_{category}_{setting}".upper()


def read_setting(category: type[Category], name: str) -> Any:
    """Return the value in the environment, or the default; raise BadSetting with a sentence."""
    setting, variable = category.settings[name], variable_of(category.name, name)
    text = read_variable(variable)
    if not text:
        if setting.is_required:
            why = f"{variable} is not set for this process: {setting.column.help}"
            raise BadSetting(why + describe_similar(category, variable))
        if setting.secret and setting.default is not None:
            masking.hide(setting.column.format(setting.default))
        return setting.default
    if setting.secret:
        masking.hide(text)
    try:
        return setting.column.parse(text)
    except CellError as error:
        shown = "" if setting.secret else f", but it is {text!r}: {error.why}"
        raise BadSetting(f"{variable} must be {setting.column.rule}{shown}.") from None


def read_variable(variable: str) -> str:
    """Return the text of a variable; "" if it is unset, empty or blank."""
    return os.environ.get(variable, "").strip()


# ---- What an action sees -------------------------------------------------------------------------


class Settings:
    """The values of a category's settings, one attribute each, read when they are asked for.

    In a test, `given` holds the values, and nothing is read from the environment.
    """

    __slots__ = ("__find_category", "__given")

    def __init__(
        self,
        find_category: Callable[[], type[Category] | None] = lambda: None,
        given: Mapping[str, Any] | None = None,
    ) -> None:
        self.__find_category = find_category
        self.__given = given

    @classmethod
    def of_action(cls, action: type[Action], given: Mapping[str, Any]) -> Settings:
        """Return these values for a test of an action; refuse those of unknown settings."""
        category: type[Category] | None = vars(action).get("_category")
        if category is not None:
            for name in given.keys() - category.settings.keys():
                near = did_you_mean(name, category.settings)
                raise ValueError(f"{category.__name__} has no setting {name!r}{near or '.'}")
        return cls(lambda: category, given)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # asked by copy, pickle and the like
            raise AttributeError(name)
        category = self.__find_category()
        declared = category.settings if category else {}
        if self.__given is not None and name in self.__given:
            return self.__given[name]
        if category is None or name not in declared:
            raise AttributeError(f"no setting is called {name!r}{did_you_mean(name, declared)}")
        if self.__given is None:
            return read_setting(category, name)
        if declared[name].is_required:
            raise BadSetting(f"the test gives no value: settings={{{name!r}: …}}")
        return declared[name].default

    def __repr__(self) -> str:
        category = self.__find_category()
        return f"<Settings {', '.join(category.settings if category else {})}>"


NO_SETTINGS = Settings()


# ---- Problems, and what people see ---------------------------------------------------------------

NAME = re.compile(r"[a-z][a-z0-9_]*")


def find_wrong(declared: Mapping[Any, Any]) -> Iterator[tuple[str, Location | None]]:
    """Yield a sentence, and its line if known, for each setting that is declared wrongly."""
    for name, setting in declared.items():
        if isinstance(setting, Setting):
            for problem in find_wrong_in(setting):
                yield f"setting {name!r} {problem}", setting.location
        else:
            yield f"setting {name!r} is not a Setting", None
        if not isinstance(name, str) or not NAME.fullmatch(name):
            yield f"the name of setting {name!r} is not lower-case letters, digits and _", None


def find_wrong_in(setting: Any) -> Iterator[str]:
    """Yield the rest of a sentence for each problem of a setting."""
    if not isinstance(setting.column, Column):
        yield f"needs a column, but has {setting.column!r}"
        return
    if not isinstance(setting.secret, bool):
        yield f"has secret={setting.secret!r}, not True or False"
    if not isinstance(setting.column.help, str) or not setting.column.help.strip():
        yield "has no help"
    if setting.column.mandatory:
        yield "is required if it has no default: leave mandatory out"
    if not setting.has_good_default():
        yield f"has the default {setting.default!r}, which is not {setting.column.rule}"


def find_problems(category: type[Category]) -> Iterator[str]:
    """Yield a sentence for each setting whose value is missing or wrong in this process."""
    for name in category.settings:
        variable = variable_of(category.name, name)
        if variable in environment.names_read:
            yield f"{variable} is a variable of the platform: give the setting another name."
            continue
        try:
            read_setting(category, name)
        except BadSetting as error:
            yield str(error)


def find_unknown(category: type[Category]) -> Iterator[str]:
    """Yield a sentence for each variable with the category's prefix that is no setting of it."""
    prefix = variable_of(category.name, "")
    known = [variable_of(category.name, name) for name in category.settings]
    for variable in sorted(os.environ):
        others = variable in environment.names_read or variable in declared_variables
        if variable.startswith(prefix) and not others:
            yield f"{variable} is set, but {category.name} has no such setting" + (
                did_you_mean(variable, known) or "."
            )


def describe_similar(category: type[Category], variable: str) -> str:
    """Return a sentence about a set variable that looks like a misspelt one; "" without one."""
    prefix = variable_of(category.name, "")
    unknown = {name for name in os.environ if name.startswith(prefix)} - declared_variables
    near = get_close_matches(variable, sorted(unknown), n=1)
    return f" ({near[0]} is set, but is no setting.)" if near else ""


def describe_settings(category: type[Category]) -> Iterator[tuple[str, str, str, str]]:
    """Yield the variable, value, source and help of each setting, for staff."""
    for name, setting in category.settings.items():
        variable = variable_of(category.name, name)
        try:
            value = setting.show(read_setting(category, name))
        except BadSetting as error:
            value = str(error)
        source = "environment" if read_variable(variable) else "default"
        about = f"{setting.column.help} ({setting.column.rule})"
        yield variable, value, source, about


declared_variables: set[str] = set()  # of all categories that this process has imported
