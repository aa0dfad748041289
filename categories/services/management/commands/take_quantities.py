"""Take all accounts' quantities: `take_quantities [--month YYYY-MM] [--which bom|eom]`."""

from __future__ import annotations

import argparse
import re
from typing import Any, get_args

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from categories.services.taking import End, take_quantities
from piston.plurals import plural


def parse_month(text: str) -> tuple[int, int]:
    """Return (year, month) of `2024-01`; months that have not begun are refused."""
    match = re.fullmatch(r"([1-9][0-9]{3})-(0[1-9]|1[0-2])", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a month: write it as 2024-01.")
    month = (int(match[1]), int(match[2]))
    if month > this_month():
        raise argparse.ArgumentTypeError(f"{text} has not begun yet.")
    return month


def this_month() -> tuple[int, int]:
    """Return (year, month) of today, UTC."""
    now = timezone.now()
    return now.year, now.month


class Command(BaseCommand):
    """Record what accounts have now as the beginning or the end of a month."""

    help = "Record what every account has now as its quantities of a month; replaces them."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare which month, and which end of it."""
        parser.add_argument(
            "--month", type=parse_month, metavar="YYYY-MM", help="default: this month"
        )
        parser.add_argument(
            "--which",
            choices=get_args(End),
            help="beginning or end of the month; default: bom on its first day, else eom",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Take the quantities and say of how many accounts."""
        year, month = options["month"] or this_month()
        usual: End = "bom" if timezone.now().day == 1 else "eom"
        end: End = options["which"] or usual

        count = take_quantities(year, month, end)

        accounts = f"{count} {plural('account', count)}"
        self.stdout.write(f"Took the {end} quantities of {year:04}-{month:02}: {accounts}.")
