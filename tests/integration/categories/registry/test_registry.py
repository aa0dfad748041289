from typing import Any

import pytest
from django.core.management import call_command

from categories import registry
from categories.contract import RowAction, Succeeded
from categories.contract.rows import RowShape
from categories.errors import (
    BrokenCategory,
    DisabledCategory,
    RegistrationRefused,
    UnknownAction,
    UnknownCategory,
)
from categories.models import RegisteredCategory, Source
from categories.registry import finding, loading, refreshing, registering
from categories.registry.loading import CannotLoad
from tests.integration.categories.conftest import PLUGIN, Write

pytestmark = pytest.mark.django_db


def said(word: str) -> Any:
    """Return what the plugin's action answers."""
    _, action = registry.get_action("echo", "echo")
    assert issubclass(action, RowAction)
    (row,) = RowShape(action, ["word"]).parse_batch([[word]], 1)
    outcome = action().process(row, None)  # type: ignore[arg-type]
    assert isinstance(outcome, Succeeded)
    return outcome.rows[0]["said"]  # type: ignore[call-overload]


def test_the_categories_that_ship_are_there_and_recorded() -> None:
    names = {"number_management", "services", "rates"}

    assert {category.name for category in registry.all_categories()} == names
    recorded = RegisteredCategory.objects.filter(source=Source.BUILT_IN)
    assert set(recorded.values_list("name", flat=True)) == names


def test_an_action_is_found_by_its_names() -> None:
    category, action = registry.get_action("number_management", "import")

    assert (category.name, action.name) == ("number_management", "import")


def test_an_unknown_category_says_what_is_known() -> None:
    with pytest.raises(UnknownCategory, match="number_management, rates, services") as caught:
        registry.get_category("servces")

    assert caught.value.name == "servces"


def test_an_unknown_action_says_what_is_known() -> None:
    with pytest.raises(UnknownAction, match="descendant_quantities") as caught:
        registry.get_action("services", "x")

    assert caught.value.name == "x"


def test_a_registered_category_is_used_at_once_and_recorded(write_plugin: Write) -> None:
    registering.register(write_plugin(), by="ann")

    assert said("hello ") == "hello 1"
    record = RegisteredCategory.objects.get(name="echo")
    assert (record.dotted_path, record.version) == ("echo_plugin.Plugin", "1")
    assert (record.registered_by, record.source) == ("ann", "registered")


def test_another_process_follows_within_two_seconds(
    write_plugin: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second Registry stands for another process; it has its own clock."""
    clock = 1_000.0
    monkeypatch.setattr("categories.registry.refreshing.time.monotonic", lambda: clock)
    other = refreshing.Registry()
    other.entries()

    registering.register(write_plugin())
    clock += refreshing.REFRESH_SECONDS - 0.1
    too_early = [entry.name for entry in other.entries()]
    clock += 0.2
    later = [entry.name for entry in other.entries()]

    assert "echo" not in too_early
    assert "echo" in later


def test_who_asks_for_a_category_or_version_that_is_missing_here_reads_again(
    write_plugin: Write,
) -> None:
    """A worker gets a task from a web process that read the registry a moment later."""
    worker = refreshing.Registry()
    worker.entries()

    registering.register(write_plugin(version="1"))
    first = worker.find("echo", version="1")
    registering.register(write_plugin(version="2"))
    unasked = worker.find("echo", version="1")
    second = worker.find("echo", version="2")

    found = [entry.category.version for entry in (first, unasked, second)]  # type: ignore[union-attr]
    assert found == ["1", "1", "2"]


def test_the_database_is_asked_once_in_two_seconds(django_assert_num_queries: Any) -> None:
    registry.get_category("services")

    with django_assert_num_queries(0):
        registry.get_category("services")
        registry.all_categories()
    registry.expire()
    with django_assert_num_queries(1):
        registry.get_category("services")


def test_a_new_version_replaces_the_code(write_plugin: Write) -> None:
    registering.register(write_plugin(version="1"))
    assert said("v") == "v1"
    other = refreshing.Registry()
    other.entries()

    registering.register(write_plugin(version="2"))

    assert said("v") == "v2"
    other.expire()
    assert other.find("echo").category.version == "2"  # type: ignore[union-attr]
    assert RegisteredCategory.objects.get(name="echo").version == "2"


def test_a_new_version_is_read_from_all_modules_of_the_package(write_plugin: Write) -> None:
    text = "from plugin_package.words import VERSION\n" + PLUGIN.replace(
        'version = "{version}"', "version = VERSION"
    )
    write_plugin("plugin_package.__init__", text="")
    write_plugin("plugin_package.words", text='VERSION = "{version}"')
    registering.register(write_plugin("plugin_package.category", text=text))

    write_plugin("plugin_package.words", text='VERSION = "{version}"', version="2")
    registering.register("plugin_package.category.Plugin")

    assert registry.get_category("echo").version == "2"


def test_a_new_version_that_is_broken_changes_nothing(write_plugin: Write) -> None:
    registering.register(write_plugin())
    before = said("v")

    with pytest.raises(CannotLoad, match="SyntaxError"):
        registering.register(write_plugin(text="class"))
    registry.expire()

    assert (before, said("v")) == ("v1", "v1")


def test_an_unregistered_category_is_gone(write_plugin: Write) -> None:
    registering.register(write_plugin())

    registering.unregister("echo")

    with pytest.raises(UnknownCategory):
        registry.get_category("echo")


def test_a_registered_category_that_breaks_later_leaves_the_others_alone(
    write_plugin: Write, caplog: pytest.LogCaptureFixture
) -> None:
    registering.register(write_plugin())
    write_plugin(text="1 / 0")
    other = refreshing.Registry()  # a process that starts now

    entry = other.find("echo")

    assert entry is not None
    assert entry.category is None
    assert "ZeroDivisionError" in entry.problem
    assert "echo_plugin.py:1" in entry.problem
    assert "ZeroDivisionError" in caplog.text
    assert other.find("services").category is not None  # type: ignore[union-attr]


def test_a_broken_category_is_told_from_an_unknown_one(
    write_plugin: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    registering.register(write_plugin())
    write_plugin(text="1 / 0")
    monkeypatch.setattr(finding, "_registry", refreshing.Registry())

    with pytest.raises(BrokenCategory, match="ZeroDivisionError"):
        registry.get_category("echo")

    assert "echo" not in registry.known_names()


def test_a_disabled_category_refuses_new_tasks_and_lets_others_run(write_plugin: Write) -> None:
    registering.register(write_plugin())

    registering.set_enabled(["echo"], is_enabled=False)

    with pytest.raises(DisabledCategory):
        registry.get_action("echo", "echo", for_new_task=True)
    assert said("still ") == "still 1"
    assert "echo" not in registry.known_names()


def test_registering_again_does_not_enable(write_plugin: Write) -> None:
    registering.register(write_plugin())
    registering.set_enabled(["echo"], is_enabled=False)

    registering.register(write_plugin(version="2"))

    assert not RegisteredCategory.objects.get(name="echo").is_enabled


def test_a_category_that_ships_can_be_disabled() -> None:
    registering.set_enabled(["rates"], is_enabled=False)

    with pytest.raises(DisabledCategory):
        registry.get_category("rates", for_new_task=True)


def test_a_name_belongs_to_one_category(write_plugin: Write) -> None:
    registering.register(write_plugin())

    with pytest.raises(RegistrationRefused, match=r"belongs to echo_plugin\.Plugin"):
        registering.register(write_plugin("another_plugin"))
    with pytest.raises(RegistrationRefused, match=r"belongs to categories\.rates"):
        registering.register(write_plugin("third_plugin", name="rates"))


def test_a_package_that_takes_a_name_that_is_taken_is_broken(
    write_plugin: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_plugin(name="rates")
    monkeypatch.setattr(loading, "package_paths", lambda: [path])

    entries = refreshing.Registry().entries()

    (entry,) = [entry for entry in entries if entry.dotted_path == path]
    assert "belongs to categories.rates" in entry.problem
    assert entry.category is None


def test_an_installed_package_announces_its_category(
    write_plugin: Write, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_plugin()
    metadata = tmp_path / "echo_plugin-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: echo-plugin\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text("[piston.categories]\necho = echo_plugin:Plugin\n")
    monkeypatch.setattr(finding, "_registry", refreshing.Registry())

    assert said("v") == "v1"
    call_command("migrate", verbosity=0)
    assert RegisteredCategory.objects.get(name="echo").source == Source.PACKAGE


def test_a_category_that_ships_cannot_be_registered_or_unregistered() -> None:
    with pytest.raises(RegistrationRefused, match="without being registered"):
        registering.register("categories.rates.category.Rates")
    with pytest.raises(RegistrationRefused, match="disable it"):
        registering.unregister("rates")


def test_what_no_longer_ships_leaves_the_record() -> None:
    RegisteredCategory.objects.create(
        name="old", dotted_path="old.Old", version="1", source=Source.BUILT_IN,
        checked_at="2026-01-01T00:00:00Z",
    )  # fmt: skip

    call_command("migrate", verbosity=0)

    assert not RegisteredCategory.objects.filter(name="old").exists()


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("nonsense", "not a dotted path"),
        ("no_such_module.Plugin", "ModuleNotFoundError"),
        ("categories.contract.Nothing", "not a Category class"),
        ("categories.contract.Action", "not a Category class"),
        ("categories.contract.Category", "not a Category class"),
    ],
)
def test_what_leads_to_no_category_cannot_be_registered(path: str, why: str) -> None:
    with pytest.raises(CannotLoad, match=why):
        registering.register(path)


def test_a_declaration_that_is_wrong_is_named_with_file_and_line(write_plugin: Write) -> None:
    path = write_plugin(text=PLUGIN.replace('"""Say it again."""', ""))

    with pytest.raises(CannotLoad, match=r"echo_plugin\.py:8: Echo: the docstring is missing"):
        registering.register(path)


def test_a_test_may_put_a_category_in_front(write_plugin: Write) -> None:
    category = loading.load_category(write_plugin())

    with registry.registered(category):
        assert registry.get_category("echo") is category
        assert category in registry.all_categories()

    with pytest.raises(UnknownCategory):
        registry.get_category("echo")
