"""Is what the README shows true? Its plugin runs as it stands there; its links lead somewhere."""

import re
from pathlib import Path
from types import ModuleType

import pytest
from django.conf import settings

from categories.contract import Context, Effects, RowFailed, Succeeded
from categories.contract.rows import RowShape

ROOT = Path(settings.BASE_DIR)
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


@pytest.fixture
def lookup(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    code = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert code
    (tmp_path / "lookup.py").write_text(code[1])
    monkeypatch.syspath_prepend(str(tmp_path))
    import lookup  # type: ignore[import-not-found]

    return lookup


def test_the_plugin_of_the_readme_runs(lookup: ModuleType) -> None:
    action = lookup.Locate()
    rows = RowShape(action, ["number"]).parse_batch([["+14157215234"], ["+11234567890"]], 1)
    context = Context(account_id="a" * 32, auth_account_id="a" * 32, task_id="t" * 30)

    outcomes = action.process_batch(rows, context)

    assert lookup.Lookup.actions == [lookup.Locate]
    assert action.effects is Effects.NONE
    assert isinstance(outcomes[0], Succeeded)
    assert isinstance(outcomes[1], RowFailed)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_to_a_file_and_a_heading(page: Path) -> None:
    text = page.read_text()

    broken = [
        target
        for target in re.findall(r"\]\(([^)\s]+)\)", text)
        if not target.startswith("http") and not is_there(page, target)
    ]

    assert broken == []


def is_there(page: Path, target: str) -> bool:
    path, _, anchor = target.partition("#")
    file = (page.parent / path).resolve() if path else page
    if not file.exists():
        return False
    if not anchor:
        return True
    headings = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
    return anchor in {
        re.sub(r"[^\w\s-]", "", heading).strip().lower().replace(" ", "-") for heading in headings
    }
