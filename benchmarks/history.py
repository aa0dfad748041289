"""Has something become slower? Results are kept in docs/performance.json, the table beside it."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.measuring import Comparison, must

BEGIN = "<!-- written by make bench: begin -->"
END = "<!-- written by make bench: end -->"
KEPT_RESULTS = 10  # of each comparison
COMPARED_RESULTS = 5  # the newest, whose median is what a new one is held against
REGRESSION = 0.20


class History:
    """Earlier results, by the name of their comparison, oldest first."""

    def __init__(self, docs: Path) -> None:
        self.file = docs / "performance.json"
        self.page = docs / "performance.md"
        self.results: dict[str, list[dict[str, Any]]] = {}
        if self.file.exists():
            self.results = json.loads(self.file.read_text())

    def describe_regression(self, new: Comparison) -> str:
        """Say by how much a comparison is worse than it was; "" when it is not."""
        past = [each["median"] for each in self.results.get(new.name, ()) if not each["regressed"]]
        if not past:
            return ""
        before = statistics.median(past[-COMPARED_RESULTS:])
        loss = 1 - new.median / before if new.more_is_better else 1 - before / new.median
        if loss <= REGRESSION:
            return ""
        return f"{new.name}: {new.median:.2f}, it was {before:.2f}: {loss:.0%} worse"

    def add(self, new: Comparison, *, question: str, day: str, version: str) -> None:
        """Keep a result of a file; a regression is never what later ones are held against."""
        kept = self.results.setdefault(new.name, [])
        kept.append(
            {
                "question": question,
                "day": day,
                "version": version,
                "regressed": bool(self.describe_regression(new)),
                "median": round(new.median, 3),
                "lowest": round(min(new.ratios), 3),
                "highest": round(max(new.ratios), 3),
                "must": must(new),
                "reached": new.is_reached,
                "what": new.what,
                "against": new.against,
                "figures": new.figures,
                "peaks": {name: round(peak) for name, peak in new.peaks.items()},
            }
        )
        del kept[:-KEPT_RESULTS]

    def write(self, questions: Sequence[str]) -> None:
        """Write all results, and the newest of each as a table in the order of the questions."""
        asked = [name for name in self.results if self.newest(name)["question"] in questions]
        known = sorted(asked, key=lambda name: questions.index(self.newest(name)["question"]))
        lines = [f"{json.dumps(name)}: {lined(self.results[name])}" for name in known]
        self.file.write_text("{\n" + ",\n".join(lines) + "\n}\n")
        before, rest = self.page.read_text().split(BEGIN)
        table = render([self.newest(name) for name in known])
        self.page.write_text(f"{before}{BEGIN}\n{table}{END}{rest.split(END)[1]}")

    def newest(self, name: str) -> dict[str, Any]:
        """Return the last result of a comparison."""
        return self.results[name][-1]


def lined(results: Sequence[dict[str, Any]]) -> str:
    """Return JSON with one result per line, so that a change is one line in a diff."""
    return "[\n  " + ",\n  ".join(json.dumps(each) for each in results) + "\n]"


def render(newest: Sequence[dict[str, Any]]) -> str:
    """Return the table of docs/performance.md."""
    lines = [
        "| what | against | must reach | ratio (spread) | reached | measured | peak memory |",
        "|---|---|---|---|---|---|---|",
    ]
    for each in newest:
        spread = f"**{each['median']:.2f}** ({each['lowest']:.2f} to {each['highest']:.2f})"
        figures = "; ".join(f"{name} {value}" for name, value in each["figures"].items())
        peaks = ", ".join(f"{name} {peak:,} MiB" for name, peak in each["peaks"].items())
        reached = "-" if each["must"] == "-" else "yes" if each["reached"] else "**no**"
        lines.append(
            f"| {each['what']} | {each['against']} | {each['must']} | {spread} | {reached}"
            f" | {figures or '-'} | {peaks or '-'} |"
        )
    return "\n".join(lines) + "\n"
