import copy
from typing import Any

import pytest

from categories.columns import BooleanColumn, ChoiceColumn, IntegerColumn, TextColumn
from categories.contract import (
    Category,
    Context,
    Effects,
    Row,
    RowAction,
    Setting,
    Succeeded,
    settings,
)
from categories.errors import BadSetting, BrokenDeclaration
from categories.testing import run_action
from piston import masking

API_KEY = "PISTON_COURIER_API_KEY"


class Ask(RowAction):
    """Say what is set."""

    word = TextColumn("Any.", mandatory=True)
    output = [TextColumn("key", "The key."), IntegerColumn("rate", "The rate.")]
    effects = Effects.NONE

    def process(self, row: Row, context: Context) -> Succeeded:
        return Succeeded(key=context.settings.api_key, rate=context.settings.rate)


class Courier(Category):
    """Carries words."""

    name = "courier"
    version = "1"
    actions = [Ask]
    settings = {
        "api_key": Setting(TextColumn("Key of the provider."), secret=True),
        "rate": Setting(IntegerColumn("Calls per second.", minimum=1), default=5),
        "polite": Setting(BooleanColumn("Say please?"), default=None),
    }


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masking, "_secrets", set())
    monkeypatch.setenv(API_KEY, "abcdef123")


def test_a_setting_is_read_from_its_variable_with_its_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PISTON_COURIER_RATE", " 7 ")
    monkeypatch.setenv("PISTON_COURIER_POLITE", "true")

    values = Courier.read_settings()

    assert (values.api_key, values.rate, values.polite) == ("abcdef123", 7, True)


@pytest.mark.parametrize("text", [None, "", "  "])
def test_an_unset_setting_has_its_default(text: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if text is not None:
        monkeypatch.setenv("PISTON_COURIER_RATE", text)

    assert Courier.read_settings().rate == 5
    assert Courier.read_settings().polite is None
    assert list(settings.find_problems(Courier)) == []


def test_a_required_setting_that_is_missing_is_a_sentence_with_what_it_is_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(API_KEY, " ")

    (problem,) = settings.find_problems(Courier)

    assert problem == f"{API_KEY} is not set for this process: Key of the provider."
    with pytest.raises(BadSetting, match=f"{API_KEY} is not set"):
        _ = Courier.read_settings().api_key


def test_the_sentence_names_a_variable_that_looks_like_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(API_KEY)
    monkeypatch.setenv("PISTON_COURIER_APIKEY", "abcdef123")

    (problem,) = settings.find_problems(Courier)

    assert "(PISTON_COURIER_APIKEY is set, but is no setting.)" in problem
    assert "abcdef123" not in problem


@pytest.mark.parametrize("text", ["often", "0", "1.5"])
def test_a_wrong_value_is_a_sentence_with_the_rule(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PISTON_COURIER_RATE", text)

    (problem,) = settings.find_problems(Courier)

    assert problem.startswith("PISTON_COURIER_RATE must be a whole number")
    assert repr(text) in problem


def test_all_problems_are_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PISTON_COURIER_RATE", "often")
    monkeypatch.delenv(API_KEY)

    assert len(list(settings.find_problems(Courier))) == 2


def test_a_variable_that_is_no_setting_is_reported_with_the_nearest_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PISTON_COURIER_RAET", "7")

    (unknown,) = settings.find_unknown(Courier)

    assert unknown == (
        "PISTON_COURIER_RAET is set, but courier has no such setting:"
        " did you mean PISTON_COURIER_RATE?"
    )


def test_a_variable_of_the_platform_or_of_another_category_is_not_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Web(Category):
        """Has the prefix of the platform's variables, and of another category's."""

        name = "web"
        version = "1"
        actions = [Ask]

    class WebPages(Category):
        """Has a longer name."""

        name = "web_pages"
        version = "1"
        actions = [Ask]
        settings = {"size": Setting(IntegerColumn("How large."), default=1)}

    monkeypatch.setenv("PISTON_WEB_THREADS", "32")
    monkeypatch.setenv("PISTON_WEB_PAGES_SIZE", "2")

    assert list(settings.find_unknown(Web)) == []


def test_a_setting_cannot_have_a_variable_of_the_platform() -> None:
    class Claim(Category):
        """Has a setting with the variable PISTON_CLAIM_SECONDS."""

        name = "claim"
        version = "1"
        actions = [Ask]
        settings = {"seconds": Setting(IntegerColumn("How long."), default=1)}

    (problem,) = settings.find_problems(Claim)

    assert "PISTON_CLAIM_SECONDS is a variable of the platform" in problem


# ---- Secrets -------------------------------------------------------------------------------------


def test_a_wrong_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    class Guard(Category):
        """Has a secret with a rule."""

        name = "guard"
        version = "1"
        actions = [Ask]
        settings = {
            "pin": Setting(ChoiceColumn("The pin.", choices=["123456", "654321"]), secret=True)
        }

    monkeypatch.setenv("PISTON_GUARD_PIN", "98765432")

    (problem,) = settings.find_problems(Guard)

    assert "98765432" not in problem
    assert problem.startswith("PISTON_GUARD_PIN must be one of")


def test_staff_see_every_setting_but_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PISTON_COURIER_RATE", "7")

    shown = {variable: (value, source) for variable, value, source, _ in
             settings.describe_settings(Courier)}  # fmt: skip

    assert shown == {
        API_KEY: (masking.MASK, "environment"),
        "PISTON_COURIER_RATE": ("7", "environment"),
        "PISTON_COURIER_POLITE": ("", "default"),
    }


def test_no_repr_shows_a_value() -> None:
    values = Courier.read_settings()
    context = Context("a" * 32, "a" * 32, "b" * 30, settings=values)

    assert values.api_key == "abcdef123"
    assert "abcdef123" not in repr(context) + str(values) + repr(Courier.settings)
    assert "api_key" in repr(values)


def test_the_default_of_a_secret_is_masked_too() -> None:
    class Secretive(Category):
        """Has a secret with a default."""

        name = "secretive"
        version = "1"
        actions = [Ask]
        settings = {"code": Setting(IntegerColumn("The code."), secret=True, default=8675309)}

    settings.read_setting(Secretive, "code")

    assert masking.mask("the code 8675309 is wrong") == f"the code {masking.MASK} is wrong"


def test_a_secret_that_was_read_is_masked_from_then_on() -> None:
    list(settings.find_problems(Courier))

    assert masking.mask("GET /?key=abcdef123") == f"GET /?key={masking.MASK}"


# ---- In tests of authors -------------------------------------------------------------------------


def test_a_test_gives_values_and_the_environment_does_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PISTON_COURIER_RATE", "7")

    ran = run_action(Ask, [{"word": "a"}], settings={"api_key": "k"})

    assert ran.lines == [["a", "k", "5", ""]]


def test_a_test_that_gives_no_value_for_a_required_setting_is_told_to() -> None:
    with pytest.raises(BadSetting, match=r"settings=\{'api_key': …}"):
        run_action(Ask, [{"word": "a"}])


def test_a_test_that_gives_an_unknown_setting_is_told_the_nearest() -> None:
    with pytest.raises(ValueError, match="no setting 'apikey': did you mean api_key"):
        run_action(Ask, [{"word": "a"}], settings={"apikey": "k"})


def test_an_action_that_reads_an_unknown_setting_is_told_the_nearest() -> None:
    with pytest.raises(AttributeError, match="'apikey': did you mean api_key"):
        _ = Courier.read_settings().apikey


def test_a_copy_of_the_settings_has_the_same_values() -> None:
    assert copy.deepcopy(Courier.read_settings()).api_key == "abcdef123"


# ---- Declared wrongly ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "setting", "why"),
    [
        ("Key", Setting(TextColumn("Help.")), "'Key' is not lower-case"),
        ("api-key", Setting(TextColumn("Help.")), "not lower-case"),
        ("key", Setting(TextColumn(" ")), "has no help"),
        ("key", TextColumn("Help."), "'key' is not a Setting"),
        ("key", Setting(TextColumn("Help.", mandatory=True)), "leave mandatory out"),
        (
            "rate",
            Setting(IntegerColumn("Help."), default="5"),
            "the default '5', which is not a whole",
        ),
        ("rate", Setting(IntegerColumn("Help.", minimum=1), default=0), "the default 0, which"),
        ("rate", Setting(IntegerColumn("Help."), default=True), "the default True, which"),
        ("key", Setting(TextColumn("Help."), default=5), "the default 5, which is not any text"),
    ],
)
def test_a_setting_that_is_declared_wrongly_is_refused(name: str, setting: Any, why: str) -> None:
    members = {"__doc__": "Do.", "name": "x", "version": "1", "actions": [Ask]}

    with pytest.raises(BrokenDeclaration, match=why):
        type("X", (Category,), {**members, "settings": {name: setting}})
