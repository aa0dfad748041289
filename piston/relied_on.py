"""Checks at import that the undocumented library members that we override or use still exist.

A module that overrides or uses such members lists them beside that code. If an upgrade changed
one, the process ends at its start with a sentence. Otherwise something else would fail later.
"""

from __future__ import annotations

import inspect
import sys
from importlib.metadata import packages_distributions, version
from types import ModuleType
from typing import Final, TypeAlias

SET_IN_INIT: Final = None  # an attribute that `__init__` sets on each instance
OPTIONAL: Final = ", ..."  # at the end of parameters: further ones may change if they are optional

# The parameters of a function, as in its `def` but without annotations; or the type of a value
Expected: TypeAlias = str | type | None


def rely_on(module: str, owner: type | ModuleType, /, **members: Expected) -> None:
    """End this process with a sentence unless `owner` has these members as `module` expects them.

    `module` is the `__name__` of the module that overrides or uses them.
    """
    for name, expected in members.items():
        fault = _find_fault(owner, name, expected)
        if fault:
            file = f"{module.replace('.', '/')}.py"
            sys.exit(
                f"{_library(owner)}: {fault}, and {file} relies on it."
                " Install the versions that requirements.txt names (make setup)."
            )


def _find_fault(owner: type | ModuleType, name: str, expected: Expected) -> str | None:
    """Return what is wrong with a member; None if it is as expected."""
    called = f"{owner.__name__}.{name}"
    if expected is SET_IN_INIT:
        return None if _sets_in_init(owner, name) else f"{called} is no longer there"
    found = inspect.getattr_static(owner, name, inspect.Parameter.empty)
    if isinstance(expected, type):
        if found is inspect.Parameter.empty:
            return f"{called} is no longer there"
        if not isinstance(found, expected):
            return f"{called} is no longer of the type {expected.__name__}"
        return None
    if found is inspect.Parameter.empty:
        return f"{called}({expected}) is no longer there"
    try:
        signature = inspect.signature(getattr(owner, name))
    except (TypeError, ValueError):
        return f"{called}({expected}) is no longer a function"
    return None if _fits(signature, expected) else f"{called} now has {signature}, not ({expected})"


def _sets_in_init(owner: type | ModuleType, name: str) -> bool:
    """Tell whether the `__init__` of a class or of one of its bases names the attribute."""
    inits = (vars(each).get("__init__") for each in inspect.getmro(owner))  # type: ignore[arg-type]
    return any(inspect.isfunction(init) and name in init.__code__.co_names for init in inits)


def _fits(signature: inspect.Signature, expected: str) -> bool:
    """Tell whether a function has the expected parameters, without regard to annotations."""
    if str(signature) == f"({expected})":  # true for most; the code below takes twice as long
        return True
    parameters = [each.replace(annotation=each.empty) for each in signature.parameters.values()]
    if expected.endswith(OPTIONAL):
        expected = expected.removesuffix(OPTIONAL)
        count = expected.count(",") + 1
        if any(map(_is_needed, parameters[count:])):
            return False
        del parameters[count:]
    return str(inspect.Signature(parameters)) == f"({expected})"


def _is_needed(parameter: inspect.Parameter) -> bool:
    return parameter.default is parameter.empty and parameter.kind not in {
        parameter.VAR_POSITIONAL,
        parameter.VAR_KEYWORD,
    }


def _library(owner: type | ModuleType) -> str:
    """Return the name and version of the package that defines `owner`."""
    name = owner.__name__ if isinstance(owner, ModuleType) else owner.__module__
    top = name.partition(".")[0]
    for distribution in packages_distributions().get(top, []):
        return f"{distribution} {version(distribution)}"
    return top
