"""Take all accounts' quantities: `take_quantities [--month YYYY-MM] [--which bom|eom]`."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, get_args

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from categories.services.months import End, MonthEnd
from categories.services.taking import take_quantities
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
    """Record what accounts have now, or had at the ends of a past month."""

    help = (
        "Record every account's quantities at an end of a month. A past end is made up from the"
        " register of numbers; an end to come is what accounts have now, until it has come."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare which month, and which end of it."""
        parser.add_argument(
            "--month", type=parse_month, metavar="YYYY-MM", help="default: this month"
        )
        parser.add_argument(
            "--which",
            choices=get_args(End),
            help="beginning or end of the month; default: both of a past month; of this month,"
            " bom on its first day, else eom",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Take the quantities, say of how many accounts, and what is not known."""
        now = timezone.now()
        year, month = options["month"] or (now.year, now.month)
        for end in [options["which"]] if options["which"] else usual_ends(year, month, now):
            month_end = MonthEnd(year, month, end)
            taken = take_quantities(month_end, now)
            accounts = f"{taken.account_count} {plural('account', taken.account_count)}"
            self.stdout.write(f"Took the {month_end}: {accounts}.")
            if taken.unknown:
                self.stdout.write(f"There is no history of {', '.join(taken.unknown)}: not known.")


def usual_ends(year: int, month: int, now: datetime) -> Sequence[End]:
    """Return the ends that are taken if none is named."""
    if (year, month) < (now.year, now.month):
        return get_args(End)
    return ["bom"] if now.day == 1 else ["eom"]
