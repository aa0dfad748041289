"""Tests that the categories of installed packages come, go, and stay unregistered."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import call_command

from categories import registry
from categories.errors import UnknownCategory
from categories.models import RegisteredCategory, Source
from categories.registry import loading, refreshing, registering
from categories.registry.loading import CannotLoad
from tests.integration.categories.conftest import Write
from tests.integration.categories.registry.test_registry import said

pytestmark = pytest.mark.django_db

Announce = Callable[..., None]


@pytest.fixture
def announce(tmp_path: Path) -> Announce:
    """Return a function that writes what pip writes about an installed package."""

    def write(entry_point: str = "hello = echo_plugin:Plugin") -> None:
        metadata = tmp_path / "echo_plugin-1.dist-info"
        metadata.mkdir(exist_ok=True)
        about = "Metadata-Version: 2.1\nName: echo-plugin\nVersion: 1\n"
        (metadata / "METADATA").write_text(about)
        (metadata / "entry_points.txt").write_text(f"[piston.categories]\n{entry_point}\n")

    return write


@pytest.fixture
def withdraw(tmp_path: Path) -> Callable[[], None]:
    """Return a function that removes it."""
    return lambda: shutil.rmtree(tmp_path / "echo_plugin-1.dist-info")


def test_a_package_that_comes_is_noticed(write_plugin: Write, announce: Announce) -> None:
    before = registry.known_names()

    write_plugin()
    announce()
    registry.expire()

    assert "echo" not in before
    assert said("v") == "v1"


def test_a_package_is_registered_by_the_name_of_its_entry_point(
    write_plugin: Write, announce: Announce
) -> None:
    write_plugin()
    announce()

    registering.register("hello", by="ann")

    record = RegisteredCategory.objects.get(name="echo")
    assert (record.dotted_path, record.source) == ("echo_plugin.Plugin", Source.PACKAGE)
    assert record.registered_by == "ann"


@pytest.mark.parametrize("path", ["echo_plugin:Plugin", "echo_plugin.Plugin", "echo"])
def test_it_is_registered_again_by_its_path_or_its_own_name(
    path: str, write_plugin: Write, announce: Announce
) -> None:
    write_plugin()
    announce()
    registering.register("hello")
    write_plugin(version="2")

    registering.register(path)

    assert said("v") == "v2"
    assert RegisteredCategory.objects.get(name="echo").version == "2"


def test_an_unknown_name_says_what_is_announced(write_plugin: Write, announce: Announce) -> None:
    write_plugin()
    announce()

    with pytest.raises(CannotLoad, match=r"announces 'hallo'.* Announced: hello\."):
        registering.register("hallo")


@pytest.mark.parametrize("is_registered", [True, False])
def test_it_stays_unregistered_while_it_is_installed(
    is_registered: bool, write_plugin: Write, announce: Announce
) -> None:
    write_plugin()
    announce()
    if is_registered:
        registering.register("hello")
    registry.expire()

    registering.unregister("echo")
    call_command("migrate", verbosity=0)

    with pytest.raises(UnknownCategory):
        registry.get_category("echo")
    assert refreshing.Registry().find("echo") is None


def test_the_code_of_an_unregistered_package_is_not_imported(
    write_plugin: Write, announce: Announce, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported: list[str] = []
    write_plugin()
    announce()
    registering.register("hello")
    registering.unregister("echo")

    with monkeypatch.context() as watched:
        watched.setattr(loading, "reload_category", imported.append)
        refreshing.Registry().entries()

    assert imported == []


def test_it_comes_back_when_it_is_registered(write_plugin: Write, announce: Announce) -> None:
    write_plugin()
    announce()
    registering.register("hello")
    registering.unregister("echo")

    registering.register("hello")

    assert said("v") == "v1"


def test_it_goes_when_its_package_goes(
    write_plugin: Write, announce: Announce, withdraw: Callable[[], None]
) -> None:
    write_plugin()
    announce()
    registering.register("hello")
    before = said("v")

    withdraw()
    registry.expire()

    (entry,) = [entry for entry in registry.all_entries() if entry.name == "echo"]
    assert before == "v1"
    assert entry.problem == "no installed package announces it any more"
    registering.unregister("echo")
    assert not RegisteredCategory.objects.filter(name="echo").exists()


def test_the_name_of_a_package_that_is_gone_is_free(
    write_plugin: Write, announce: Announce, withdraw: Callable[[], None]
) -> None:
    write_plugin()
    announce()
    registering.register("hello")
    withdraw()

    registering.register(write_plugin("other_plugin", version="2"))

    assert said("v") == "v2"


def test_a_package_may_move_its_category(write_plugin: Write, announce: Announce) -> None:
    write_plugin()
    announce()
    registering.register("hello")
    write_plugin("moved_plugin", version="2")
    announce("hello = moved_plugin:Plugin")

    registering.register("hello")

    assert said("v") == "v2"
    assert RegisteredCategory.objects.get(name="echo").dotted_path == "moved_plugin.Plugin"


def test_a_disabled_package_stays_disabled_when_it_is_broken_for_a_while(
    write_plugin: Write, announce: Announce
) -> None:
    write_plugin()
    announce()
    registering.register("hello")
    registering.set_enabled(["echo"], is_enabled=False)
    write_plugin(text="1 / 0")

    call_command("migrate", verbosity=0)

    assert not RegisteredCategory.objects.get(name="echo").is_enabled


def test_a_migration_does_not_load_again_what_has_not_changed(
    write_plugin: Write, announce: Announce
) -> None:
    write_plugin()
    announce()
    registering.register("hello")
    before = registry.get_category("echo")

    call_command("migrate", verbosity=0)

    assert registry.get_category("echo") is before


def test_a_process_with_another_version_says_so(write_plugin: Write) -> None:
    registering.register(write_plugin())
    RegisteredCategory.objects.update(version="2")
    other = refreshing.Registry()

    other.refresh()

    assert other.answers()["echo"]["problem"] == ("it finds version 1; version 2 is registered")


@pytest.mark.usefixtures("write_plugin")  # has the folder of the test on the import path
@pytest.mark.parametrize("value", ["nonsense", "", "a b:C", "echo_plugin:", ".:Plugin", "json"])
def test_an_entry_point_that_leads_nowhere_is_a_broken_category(
    value: str, announce: Announce
) -> None:
    announce(f"hello = {value}")

    entries = refreshing.Registry().entries()

    assert [entry.problem for entry in entries if entry.category is None] != []
    assert "services" in registry.known_names()


@pytest.mark.parametrize(
    "content", [b"[piston.categories]\nno equals\n", b"[piston.categories]\nx = \xff\n"]
)
def test_a_package_whose_entry_points_cannot_be_read_hides_no_other(
    write_plugin: Write, announce: Announce, tmp_path: Path, content: bytes
) -> None:
    write_plugin()
    announce()
    other = tmp_path / "another-1.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: another\nVersion: 1\n")
    (other / "entry_points.txt").write_bytes(content)

    known = registry.known_names()

    assert {"echo", "number_management"} <= set(known)


def test_the_paths_of_entry_points_are_dotted() -> None:
    assert loading.path_of("package.module : Class [extra]") == "package.module.Class"
