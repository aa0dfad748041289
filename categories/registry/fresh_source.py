"""Imports the modules of plugins from their source, never from a `.pyc`.

Python takes a `.pyc` for current if the source's time (in whole seconds) and size are the same. An
upgrade within a second, to a file of the same size, would go unnoticed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import ModuleType


class FreshLoader(SourceFileLoader):
    """Compiles the source each time."""

    def path_stats(self, path: object) -> dict[str, int]:
        """Say that the source's time is unknown; Python then neither reads nor writes a `.pyc`."""
        raise OSError(path)


class FreshFinder(MetaPathFinder):
    """Finds the modules of plugins as Python does, but gives them a FreshLoader."""

    def __init__(self) -> None:
        self.roots: set[str] = set()  # top-level packages and modules

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where a plugin's module is; None for all other modules."""
        if fullname.partition(".")[0] not in self.roots:
            return None
        others = [finder for finder in sys.meta_path if finder is not self]
        found = (finder.find_spec(fullname, path, target) for finder in others)
        spec = next(filter(None, found), None)
        if spec is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = FreshLoader(fullname, spec.loader.path)
        return spec


_finder = FreshFinder()


def import_from_source(roots: Iterable[str]) -> None:
    """Import the modules of these packages from their source from now on."""
    _finder.roots.update(roots)
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)
