"""Can any tool read what `make env` prints?"""

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

pytestmark = pytest.mark.django_db


def test_every_line_is_a_variable(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    settings.SECRET_KEY = "k" * 50

    call_command("print_environment")

    variables = dict(line.split("=", 1) for line in capsys.readouterr().out.splitlines())
    assert variables["SECRET_KEY"] == "k" * 50
    assert variables["PISTON_DATA_DIR"] == str(settings.PISTON_DATA_DIR)
    assert {"PORT", "DATABASE_URL", "CELERY_BROKER_URL", "DJANGO_SETTINGS_MODULE"} <= set(variables)


@pytest.mark.parametrize("value", ["two words", 'a"quote', "a$dollar", "a\\backslash", "a\nline"])
def test_a_value_that_tools_read_differently_is_refused(settings: Settings, value: str) -> None:
    settings.SECRET_KEY = value

    with pytest.raises(CommandError, match="SECRET_KEY"):
        call_command("print_environment")
