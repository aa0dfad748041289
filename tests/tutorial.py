"""What does the tutorial in docs/writing-a-category.md tell an author to write and to type?"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "writing-a-category.md").read_text()
TUTORIAL = PAGE.partition("\n## Tutorial\n")[2].partition("\n## ")[0]
BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
HEADLINE = re.compile(r"# (contacts/\w+\.py)\n")


def read_files() -> dict[str, str]:
    """Return the files that an author has at the end, by path."""
    files = {}
    for language, text in BLOCK.findall(TUTORIAL):
        if language == "python":
            path = HEADLINE.match(text)
            assert path, f"no path above {text}"
            files[path[1]] = text[path.end() :]
    return files


def read_script() -> str:
    """Return all of it as one script: files are written where they stand, lines are run."""
    parts = []
    for language, text in BLOCK.findall(TUTORIAL):
        if language == "sh":
            parts.append(text)
            continue
        path = HEADLINE.match(text)
        assert path, f"no path above {text}"
        parts.append(f"cat > {path[1]} <<'END_OF_FILE'\n{text[path.end() :]}END_OF_FILE\n")
    return "\n".join(parts)


def run(*command: str | Path, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command as an author would, who knows nothing of this suite."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        command, cwd=cwd, env=kept | variables, capture_output=True, text=True, check=False
    )
