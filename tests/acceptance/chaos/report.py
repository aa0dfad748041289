"""What came of it? One line per fault for whoever watches, and the table of docs/reliability.md."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.acceptance.chaos.breakages import BREAKAGES
from tests.acceptance.chaos.faults import FAULTS
from tests.acceptance.chaos.scene import CLAIM_SECONDS, SWEEP_SECONDS

BEGIN = "<!-- written by make chaos: begin -->"
END = "<!-- written by make chaos: end -->"
TITLES = (
    "fault",
    "what users see",
    "ran on",
    "runs",
    "failed",
    "recovered in",
    "broken build",
    "noticed",
)
KEPT_RUNS = 3  # the newest of a fault on a kind of installation, or without a safeguard


@dataclass
class Ran:
    """What came of one fault on one installation."""

    fault: str
    kind: str
    seed: int
    breakage: str = ""  # the safeguard that was missing; "" for the code as it is
    noticed: str = ""  # what the harness said about that
    recovery_seconds: float | None = None
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)
    missing: str = ""  # what this machine lacks for it
    remarks: list[str] = field(default_factory=list)
    trace: str = ""

    def line(self) -> str:
        """Return what whoever watches sees."""
        verdict = "FAILED" if self.problems else "not run" if self.missing else "ok"
        recovery = "" if self.recovery_seconds is None else f"{self.recovery_seconds:5.1f} s"
        build = f" without {self.breakage}" if self.breakage else ""
        words = [*self.problems, self.missing, self.noticed, *self.remarks]
        more = "".join(f"\n        {word}" for word in words if word)
        times = f"{self.seconds:5.0f} s  {recovery:8}"
        return f"{verdict:7} {self.kind:9} {times} {self.fault}{build}{more}"


def write(docs: Path, done: Sequence[Ran]) -> None:
    """Put the newest results into docs/reliability.json and their table into the page."""
    history = docs / "reliability.json"
    kept: list[dict[str, Any]] = json.loads(history.read_text()) if history.exists() else []
    fresh = [asdict(ran) for ran in done if not ran.missing]
    for result in fresh:
        del result["trace"]
    kept = newest([*kept, *fresh])
    history.write_text("[\n" + ",\n".join(json.dumps(each) for each in kept) + "\n]\n")
    page = docs / "reliability.md"
    before, rest = page.read_text().split(BEGIN)
    page.write_text(f"{before}{BEGIN}\n{render(kept)}{END}{rest.split(END)[1]}")


def newest(results: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the last result of each seed, and of those the last few of each kind."""
    runs: dict[tuple[str, str, str], dict[int, dict[str, Any]]] = {}
    for each in results:
        seeds = runs.setdefault((each["fault"], each["kind"], each["breakage"]), {})
        seeds.pop(each["seed"], None)
        seeds[each["seed"]] = each
    return [each for seeds in runs.values() for each in [*seeds.values()][-KEPT_RUNS:]]


def render(results: Sequence[dict[str, Any]]) -> str:
    """Return the table: fault, what users see, on what, time to recover, what notices it."""
    seeds = sorted({each["seed"] for each in results if not each["breakage"]})
    settings = (
        f"Seeds {', '.join(map(str, seeds))}; claims of {CLAIM_SECONDS} s, a sweep every"
        f" {SWEEP_SECONDS} s. Time to recover: from the end of the fault to the next committed row,"
        " the longest seen.\n"
    )
    lines = [
        settings,
        f"| {' | '.join(TITLES)} |",
        "|---" * len(TITLES) + "|",
    ]
    for fault in FAULTS:
        sound = [each for each in results if each["fault"] == fault.name and not each["breakage"]]
        broken = [
            each
            for each in results
            if (each["fault"], each["breakage"]) == (fault.name, fault.broken_by)
        ]
        if not sound:
            continue
        times = [each["recovery_seconds"] for each in sound if each["recovery_seconds"] is not None]
        recovery = f"{max(times):.1f} s" if times else "-"
        bad = sum(bool(each["problems"]) for each in sound)
        kinds = ", ".join(kind for kind in fault.on if kind in {each["kind"] for each in sound})
        noticed = sum(not each["problems"] for each in broken)
        missing = BREAKAGES[fault.broken_by].what.partition(":")[0]
        lines.append(
            f"| {fault.what} | {fault.outcome} | {kinds} | {len(sound)} | {bad or 'none'}"
            f" | {recovery} | {missing} | {noticed} of {len(broken)} |"
        )
    return "\n".join(lines) + "\n"
