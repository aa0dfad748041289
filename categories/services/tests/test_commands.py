"""What do the commands about quantities say and do?"""

from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from categories.services.models import ServiceQuantity
from tests.factories import AccountFactory

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    output = StringIO()
    call_command(*arguments, stdout=output)
    return output.getvalue()


@pytest.fixture
def today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timezone, "now", lambda: datetime(2024, 2, 20, tzinfo=UTC))


UNKNOWN = "There is no history of rates: not known.\n"
MISSED = {"rates": None}


@pytest.mark.usefixtures("today")
@pytest.mark.parametrize(
    ("arguments", "said", "stored"),
    [
        ([], "Took the eom quantities of 2024-02: 1 account.\n", [(2, None, {})]),
        (
            ["--which", "bom"],
            f"Took the bom quantities of 2024-02: 1 account.\n{UNKNOWN}",
            [(2, MISSED, None)],
        ),
        (
            ["--month", "2024-01", "--which", "eom"],
            f"Took the eom quantities of 2024-01: 1 account.\n{UNKNOWN}",
            [(1, None, MISSED)],
        ),
        (
            ["--month", "2024-01"],
            "".join(
                f"Took the {end} quantities of 2024-01: 1 account.\n{UNKNOWN}"
                for end in ("bom", "eom")
            ),
            [(1, MISSED, MISSED)],
        ),
        (
            ["--month", "2023-12", "--which", "bom"],
            f"Took the bom quantities of 2023-12: 0 accounts.\n{UNKNOWN}",
            [],
        ),
    ],
)
def test_take_quantities_takes_those_of_a_month(
    arguments: list[str], said: str, stored: list[tuple[object, ...]]
) -> None:
    AccountFactory(created_at=datetime(2023, 12, 31, tzinfo=UTC))

    output = run("take_quantities", *arguments)

    assert output == said
    assert list(ServiceQuantity.objects.values_list("month", "bom", "eom")) == stored


def test_take_quantities_takes_the_beginning_on_the_first_day(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(timezone, "now", lambda: datetime(2024, 2, 1, tzinfo=UTC))

    assert "the bom quantities of 2024-02" in run("take_quantities")


@pytest.mark.usefixtures("today")
@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--month", "2024-3"], "'2024-3' is not a month: write it as 2024-01."),
        (["--month", "2024-13"], "'2024-13' is not a month"),
        (["--month", "2024-03"], "2024-03 has not begun yet."),
        (["--which", "middle"], "invalid choice: 'middle'"),
    ],
)
def test_take_quantities_refuses_what_it_cannot_take(arguments: list[str], why: str) -> None:
    with pytest.raises(CommandError, match=why):
        run("take_quantities", *arguments)


def test_what_was_exported_can_be_imported(tmp_path: Path) -> None:
    account = AccountFactory()
    document = {"é": {"x": 1}, "rates": None}
    ServiceQuantity.objects.create(account=account, year=2024, month=2, bom=document)
    file = tmp_path / "quantities.jsonl"

    file.write_text(run("export_quantities"), encoding="utf-8")
    ServiceQuantity.objects.all().delete()
    output = run("import_quantities", str(file))

    assert output == "Imported 1 line of quantities.\n"
    assert ServiceQuantity.objects.get().bom == document


def test_import_quantities_says_which_line_is_bad(tmp_path: Path) -> None:
    file = tmp_path / "quantities.jsonl"
    file.write_text("\n{}\n", encoding="utf-8")

    with pytest.raises(CommandError, match=r"^Line 2: missing field\(s\) account_id, year, month"):
        run("import_quantities", str(file))


def test_import_quantities_says_that_there_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read: No such file or directory"):
        run("import_quantities", str(tmp_path / "missing.jsonl"))
