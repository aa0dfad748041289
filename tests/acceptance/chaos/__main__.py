"""Does Piston Tasks keep its promise when everything breaks? `make chaos` asks.

Each fault falls on an installation of real processes while tasks run; then every row is
reconciled. A printed seed replays a run: `python -m tests.acceptance.chaos --seed N [FAULT …]`.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.acceptance.chaos import report
from tests.acceptance.chaos.breakages import BREAKAGES, broken_copy
from tests.acceptance.chaos.faults import (  # noqa: F401 - importing a module registers its faults
    FAULTS,
    SHORT,
    Fault,
    bodies,
    brokers,
    clients,
    clocks,
    databases,
    disks,
    endings,
    externals,
    gateways,
    inputs,
    ledgers,
    locks,
    messages,
    neighbours,
    networks,
    operating,
    outages,
    poolers,
    processes,
    refusals,
    retries,
    rows,
    starting,
    storages,
    sweepers,
    web,
    workers,
)
from tests.acceptance.chaos.reconciling import dust_problems, reconcile
from tests.acceptance.chaos.report import Ran
from tests.acceptance.chaos.scene import EMBEDDED, RABBITMQ, REDIS, Scene, Servers
from tests.acceptance.chaos.work import Work
from tests.acceptance.installation import ROOT
from tests.servers import Missing

KINDS = (RABBITMQ, REDIS, EMBEDDED)


@dataclass
class Run:
    """One run of the harness over some faults."""

    seed: int
    folder: Path
    servers: Servers
    docs: Path | None  # where results are written to
    code: Path = ROOT  # that runs
    done: list[Ran] = field(default_factory=list)

    def sound(
        self, faults: Sequence[Fault], kinds: Sequence[str], *, once: bool, short: bool
    ) -> None:
        """Let the faults fall on the code as it is: it has to stand them all."""
        for kind in kinds:
            here = [each for each in faults if kind in (each.on[:1] if once else each.on)]
            if not here:
                continue
            with Scene(kind, self.folder / kind, self.servers, self.code) as scene:
                for fault in here:
                    self.note(self.attempt(fault, scene, short=short))
                problems = dust_problems(scene)
                self.note(Ran("dust", kind, self.seed, problems=problems))

    def broken(self, faults: Sequence[Fault]) -> None:
        """Let each fault fall on a build without the safeguard against it: it has to be noticed."""
        for fault in faults:
            breakage = BREAKAGES[fault.broken_by]
            folder = self.folder / f"{fault.name}-{breakage.name}"
            folder.mkdir()
            root = broken_copy(breakage, folder)
            with Scene(fault.on[0], folder / "installation", self.servers, root) as scene:
                ran = self.attempt(fault, scene, short=True)
                noticed = ran.problems or dust_problems(scene)
            ran.breakage = breakage.name
            ran.noticed = "; ".join(noticed[:2])
            ran.problems = [] if noticed else ["nothing was noticed"]
            self.note(ran)

    def attempt(self, fault: Fault, scene: Scene, *, short: bool) -> Ran:
        """Let one fault fall; say what came of it."""
        work = Work(scene, Random(f"{self.seed}/{fault.name}"), is_short=short)
        ran = Ran(fault.name, scene.kind, self.seed)
        started = time.monotonic()
        try:
            fault.inject(work)
            work.end()
            scene.restore()
            ran.problems = reconcile(work)
        except Missing as missing:
            ran.missing = str(missing)
            ran.problems = [ran.missing] if os.environ.get("CI") else []
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
            ran.problems = [f"{type(error).__name__}: {error}"]
            ran.trace = traceback.format_exc()
        finally:
            scene.clear(work)
        ran.recovery_seconds = work.recovery_seconds
        ran.seconds = time.monotonic() - started
        ran.remarks = work.remarks
        return ran

    def note(self, ran: Ran) -> None:
        """Keep a result and print it."""
        self.done.append(ran)
        if self.docs:
            report.write(self.docs, self.done)
        print(ran.line(), flush=True)
        if ran.problems and ran.trace:
            print(ran.trace, flush=True)


def choose(names: Sequence[str], *, short: bool) -> list[Fault]:
    """Return the faults that are called so, or all (in a short run: all short ones)."""
    unknown = set(names) - {fault.name for fault in FAULTS}
    if unknown:
        known = "\n  ".join(fault.name for fault in FAULTS)
        sys.exit(f"There is no fault {', '.join(sorted(unknown))}. There are:\n  {known}")
    if names:
        return [fault for fault in FAULTS if fault.name in names]
    return [fault for fault in FAULTS if fault.name in SHORT or not short]


def main(arguments: Sequence[str]) -> int:
    """Run what is asked for; return 0 when everything was as it has to be."""
    parser = argparse.ArgumentParser(prog="python -m tests.acceptance.chaos", description=__doc__)
    parser.add_argument("faults", nargs="*", metavar="FAULT", help="only these (default: all)")
    parser.add_argument("--seed", type=int, help="replay a run")
    parser.add_argument("--on", choices=KINDS, help="only on this kind of installation")
    parser.add_argument("--once", action="store_true", help="each on one kind of installation")
    parser.add_argument(
        "--short", action="store_true", help="one of each kind, small, within ten minutes"
    )
    parser.add_argument("--sound", action="store_true", help="not the broken builds")
    parser.add_argument("--broken", action="store_true", help="only the broken builds")
    parser.add_argument(
        "--code", type=Path, default=ROOT, help="run that checkout instead: would it be noticed?"
    )
    parser.add_argument("--write", action="store_true", help="write docs/reliability.md's table")
    chosen = parser.parse_args(arguments)
    seed = secrets.randbelow(1_000_000) if chosen.seed is None else chosen.seed
    faults = choose(chosen.faults, short=chosen.short)
    folder = Path(tempfile.mkdtemp(prefix="piston-chaos-"))
    print(f"=== Seed {seed} (--seed {seed} replays it); logs in {folder} ===", flush=True)
    with Servers() as servers:
        docs = ROOT / "docs" if chosen.write else None
        run = Run(seed, folder, servers, docs, chosen.code.resolve())
        if not chosen.broken:
            run.sound(
                faults,
                [chosen.on] if chosen.on else KINDS,
                once=chosen.once or chosen.short,
                short=chosen.short,
            )
        if not chosen.sound:
            run.broken(faults)
    failed = [ran for ran in run.done if ran.problems]
    print(f"\nseed {seed}\n{len(run.done) - len(failed)} passed, {len(failed)} failed", flush=True)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
