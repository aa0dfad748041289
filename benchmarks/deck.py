"""A ratedeck as long as real ones, and numbers for it, from the metadata of `phonenumbers`.

The prefixes are those that the library knows a place or a carrier for, so they are as long, and as
unevenly spread over the world, as those of a carrier's price list.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

HEADER = (
    "ratedeck_id,prefix,iso_country_code,description,carrier,rate_cost,internal_rate_cost,"
    "rate_increment,rate_minimum,rate_surcharge,direction,rate_version"
)
DECK = "gold"


def list_prefixes(count: int) -> list[str]:
    """Return so many prefixes, evenly chosen from all that are known."""
    from phonenumbers.carrierdata import CARRIER_DATA
    from phonenumbers.geodata import GEOCODE_DATA

    known = sorted(GEOCODE_DATA.keys() | CARRIER_DATA.keys())
    return [known[place * len(known) // count] for place in range(count)]


def write_deck(file: Path, count: int) -> Path:
    """Write a price list of one deck, with the columns that such lists have."""
    with file.open("w") as lines:
        lines.write(HEADER + "\n")
        for number, prefix in enumerate(list_prefixes(count)):
            cost = f"{number % 9973 / 10000:.4f},{number % 997 / 10000:.4f}"
            lines.write(
                f"{DECK},{prefix},US,Destination {number % 700},carrier {number % 5},"
                f"{cost},60,{number % 3 * 30},0,outbound,2024-03\n"
            )
    return file


def write_deletions(file: Path, deck: Path) -> Path:
    """Write what is enough to delete the rates of a deck's file: deck, prefix, cost."""
    with deck.open() as lines, file.open("w") as short:
        for line in lines:
            cells = line.split(",")
            short.write(f"{cells[0]},{cells[1]},{cells[5]}\n")
    return file


def write_numbers(file: Path, count: int, prefix_count: int) -> Path:
    """Write numbers that begin with prefixes of the deck, in any order."""
    with file.open("w") as lines:
        lines.write("number,ratedeck_id\n")
        lines.writelines(f"{number},{DECK}\n" for number in make_numbers(count, prefix_count))
    return file


def make_numbers(count: int, prefix_count: int) -> Iterator[str]:
    """Yield numbers of 11 digits, or a few more than their prefix has."""
    random = Random(1)
    prefixes = list_prefixes(prefix_count)
    for prefix in random.choices(prefixes, k=count):
        missing = max(11 - len(prefix), 2)
        yield f"+{prefix}{random.randrange(10**missing):0{missing}}"
