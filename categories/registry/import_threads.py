"""Imports each plugin in a thread of its own, so that one that blocks or exits harms no other."""

from __future__ import annotations

from datetime import datetime
from threading import Thread, current_thread

from django.db import connections

from categories.contract import Category
from categories.registry import loading

IMPORT_SECONDS = 20.0  # for which look-ups in this process wait for an import


class ImportThread(Thread):
    """Imports the current code of one plugin; nothing can end it before its time."""

    def __init__(self, dotted_path: str, mark: datetime | None) -> None:
        super().__init__(name=f"import {dotted_path}", daemon=True)
        self.dotted_path = dotted_path
        self.mark = mark
        self.found: type[Category] | None = None
        self.error = loading.CannotLoad(f"{dotted_path}: its import did not end in order.")

    def run(self) -> None:
        """Import it."""
        try:
            self.found = loading.reload_category(self.dotted_path)
        except loading.CannotLoad as error:
            self.error = error
        except BaseException as error:  # noqa: BLE001 - a plugin may raise anything
            module_path = self.dotted_path.rpartition(".")[0]
            why = loading.describe_error(error, module_path)
            self.error = loading.CannotLoad(f"{self.dotted_path}: {why}")
        finally:
            connections.close_all()  # this thread's own


_threads: dict[str, ImportThread] = {}  # by path: those whose end nobody has seen yet


def reload_in_time(dotted_path: str, mark: datetime | None = None) -> type[Category]:
    """Import a plugin's current code for a registration; raise CannotLoad, also if it takes long.

    An import that is still going on is not begun again: when it has ended, the next call takes
    what it found, unless the plugin was registered anew.
    """
    thread = _threads.get(dotted_path)
    if thread is None or (thread.mark != mark and not thread.is_alive()):
        thread = _threads[dotted_path] = ImportThread(dotted_path, mark)
        thread.start()
        thread.join(IMPORT_SECONDS)
    if thread.is_alive():
        raise loading.CannotLoad(
            f"{dotted_path}: its import has not ended within {IMPORT_SECONDS:g} s."
        )
    del _threads[dotted_path]
    if thread.found is None:
        raise thread.error
    return thread.found


def is_importing() -> bool:
    """Say whether the caller is a plugin that is being imported."""
    return isinstance(current_thread(), ImportThread)
