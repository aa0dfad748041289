"""Which benchmarks are there? Runs every module of this folder, or those named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent


def main(names: list[str]) -> int:
    """Run the benchmarks, each in a process of its own; return 0 when all went well."""
    chosen = [path for path in sorted(FOLDER.glob("[!_]*.py")) if not names or path.stem in names]
    if not chosen:
        print("There is no benchmark of that name." if names else "There is no benchmark yet.")
        return 1 if names else 0
    codes = []
    for path in chosen:
        print(f"=== {path.stem} ===", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{path.stem}"]
        codes.append(subprocess.run(command, check=False).returncode)
    return max(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
