"""Tests that a plugin whose import blocks, exits or asks the registry harms no other."""

import sys
import threading
from collections.abc import Iterator

import pytest

from categories import registry
from categories.errors import BrokenCategory
from categories.registry import import_threads, loaded, registering
from categories.registry.loading import CannotLoad
from tests.integration.categories.conftest import PLUGIN, Write
from tests.integration.categories.registry.test_registry import said

pytestmark = pytest.mark.django_db

go_on = threading.Event()  # for which plugins of this test wait
WAITING = f"import {__name__} as test\ntest.go_on.wait(60)\n{PLUGIN}"
LATE = "its import has not ended within"


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave no thread that waits; a test may set IMPORT_SECONDS."""
    monkeypatch.setattr(import_threads, "IMPORT_SECONDS", 20.0)
    monkeypatch.setattr(import_threads, "_threads", {})
    monkeypatch.setattr(loaded, "RETRY_SECONDS", 0.0)
    go_on.clear()
    yield
    go_on.set()
    for thread in threading.enumerate():
        if isinstance(thread, import_threads.ImportThread):
            thread.join()
    sys.modules.pop("echo_plugin", None)  # the late import has put it back


def register_quickly_importable(write_plugin: Write) -> None:
    """Register a plugin, and write code that blocks in the processes that then load it."""
    go_on.set()
    registering.register(write_plugin(text=WAITING))
    go_on.clear()
    import_threads.IMPORT_SECONDS = 0.2


def test_a_plugin_whose_import_blocks_is_broken_and_the_others_are_there(
    write_plugin: Write,
) -> None:
    register_quickly_importable(write_plugin)

    with pytest.raises(BrokenCategory, match=LATE):
        registry.get_category("echo")

    assert "number_management" in registry.known_names()


def test_what_took_long_is_used_when_it_has_come(write_plugin: Write) -> None:
    register_quickly_importable(write_plugin)
    with pytest.raises(BrokenCategory):
        registry.get_category("echo")

    go_on.set()
    import_threads._threads["echo_plugin.Plugin"].join()
    registry.expire()

    assert said("v") == "v1"


def test_a_blocked_import_is_not_begun_twice(write_plugin: Write) -> None:
    register_quickly_importable(write_plugin)
    for _ in range(3):
        registry.expire()
        registry.all_entries()

    threads = [each for each in threading.enumerate() if each.name.startswith("import echo")]

    assert len(threads) == 1


def test_a_registration_takes_no_code_that_was_imported_for_the_one_before(
    write_plugin: Write,
) -> None:
    register_quickly_importable(write_plugin)
    registry.all_entries()
    blocked = import_threads._threads["echo_plugin.Plugin"]
    go_on.set()
    blocked.join()
    import_threads.IMPORT_SECONDS = 20.0

    registering.register(write_plugin(version="2"))

    assert said("v") == "v2"


def test_registering_a_plugin_whose_import_blocks_fails(write_plugin: Write) -> None:
    import_threads.IMPORT_SECONDS = 0.2

    with pytest.raises(CannotLoad, match=LATE):
        registering.register(write_plugin(text=WAITING))


@pytest.mark.parametrize("error", ["SystemExit(3)", "KeyboardInterrupt", "GeneratorExit"])
def test_a_plugin_that_exits_while_it_is_imported_is_refused(
    write_plugin: Write, error: str
) -> None:
    registering.register(write_plugin())
    before = said("v")
    path = write_plugin(text=f"raise {error}")

    with pytest.raises(CannotLoad, match=error.partition("(")[0]):
        registering.register(path)

    assert before == said("v") == "v1"


def test_a_plugin_may_ask_what_is_registered_while_it_is_imported(
    write_plugin: Write,
) -> None:
    asking = f"from categories import registry\nNAMES = registry.known_names()\n{PLUGIN}"

    registering.register(write_plugin(text=asking))

    assert said("v") == "v1"
