"""How long do others wait while JSON bodies arrive that keep a processor busy?

Two clients send each body over and over, gzipped, to a server of its own. An honest client asks for
its tasks, and sends records, before and meanwhile. The slowest hundredth of its requests counts.
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measuring import Comparison, Scale, main
from tests.acceptance.json_attacks import HOSTILE, Measurement, head_of_json
from tests.acceptance.test_overload import Web, serving

QUICK = ("lists",)


def measure(scale: Scale) -> Iterator[Comparison]:
    """Attack with each body in each round; a round's ratio is that of its worst body."""
    names = QUICK if scale.is_quick else tuple(HOSTILE)
    with TemporaryDirectory() as folder, serving(Path(folder)) as web:
        found = [{name: attack(web, name) for name in names} for _ in range(scale.rounds)]
    medians = {name: sorted(each[name] for each in found)[len(found) // 2] for name in names}
    worst = max(medians, key=medians.__getitem__)
    yield Comparison(
        name="hostile json",
        what="GET list while two clients send hostile JSON of 12 MB: p99, worst of ten bodies",
        against="the same, undisturbed",
        ratios=[each[worst] for each in found],
        at_most=2,
        figures={name: f"{ratio:.2f} times" for name, ratio in medians.items()},
    )


def attack(web: Web, name: str) -> float:
    """Return how many times as long the slowest hundredth of requests takes."""
    content = gzip.compress(HOSTILE[name])
    attacks = [
        (target, head_of_json(target, content, "Content-Encoding: gzip"), content)
        for target in web.targets[:2]
    ]
    return asyncio.run(Measurement(web, attacks).take())


if __name__ == "__main__":
    main(measure)
