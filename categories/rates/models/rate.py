"""The rate, the price of calls to numbers that begin with a prefix."""

from __future__ import annotations

from decimal import Decimal
from typing import Self

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Length

from categories.columns.countries import COUNTRIES
from categories.rates.models.ratedeck import Ratedeck
from piston.accounts.models import Account

# SQLite keeps 15 digits exactly: five before the point and ten after it.
COST_DIGITS = 15
COST_PLACES = 10
PREFIX_LENGTH = 15  # digits of the longest number, E.164 §6
RATE_ID_LENGTH = 128
TEXT_LENGTH = 128
TASK_ID_LENGTH = 32
MORE_COUNTRIES = ("XK", "XX")  # Kosovo, which price lists have, and any country

validate_prefix = RegexValidator(
    r"\A[1-9][0-9]{0,14}\Z", "A prefix is 1 to 15 digits, the first not 0."
)
validate_positive = MinValueValidator(0)

# of the rates with one prefix: those for an account, then the heaviest
BEST_FIRST = (F("account").asc(nulls_last=True), "-weight", "rate_id")


def format_cost(cost: Decimal | None) -> str:
    """Return the amount without the zeros that a database adds; None becomes the empty text."""
    return "" if cost is None else f"{cost.normalize():f}"


def validate_country(code: str) -> None:
    """Raise ValidationError unless a price list may have this country."""
    if code not in {*COUNTRIES, *MORE_COUNTRIES}:
        raise ValidationError("A country is an ISO 3166-1 code of two upper-case letters.")


class Direction(models.TextChoices):
    """The direction of the calls that a rate is for; None means both."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


class RateQuerySet(models.QuerySet["Rate"]):
    """Rates, filtered by number."""

    def matching(
        self, number: str, *, direction: str | None = None, account: Account | None = None
    ) -> Self:
        """Keep the rates whose prefix begins `number`, the best one first.

        `number` is digits, with or without a +. The longest prefix wins, then a rate for
        `account`, then the highest weight. Rates for other accounts are left out.
        """
        digits = number.removeprefix("+")
        prefixes = [digits[:length] for length in range(1, min(len(digits), PREFIX_LENGTH) + 1)]
        rates = self.filter(Q(account=None) | Q(account=account), prefix__in=prefixes)
        if direction is not None:
            rates = rates.filter(Q(direction=direction) | Q(direction=None))
        return rates.order_by(Length("prefix").desc(), *BEST_FIRST)

    def rate_number(
        self, number: str, *, direction: str | None = None, account: Account | None = None
    ) -> Rate | None:
        """Return the rate for `number`, or None if no prefix fits."""
        return self.matching(number, direction=direction, account=account).first()


class Rate(models.Model):
    """The price of calls to, or from, the numbers that begin with a prefix.

    The 20 columns of an export have the names of these fields; `ratedeck_id` is the deck's name.
    Costs are exact decimals, in units of the currency; durations are in seconds.
    """

    ratedeck = models.ForeignKey(
        Ratedeck, on_delete=models.PROTECT, related_name="rates", db_index=False
    )
    rate_id = models.CharField(
        max_length=RATE_ID_LENGTH,
        blank=True,
        help_text="Empty: made from country, prefix and suffix.",
    )
    account = models.ForeignKey(
        Account,
        on_delete=models.CASCADE,  # SET_NULL would make one customer's price valid for all
        null=True,
        blank=True,
        related_name="rates",
        db_index=False,  # few rates have an account: see the partial index below
        help_text="The account that the rate is meant for; empty: all.",
    )
    caller_id_numbers = models.CharField(
        max_length=4096, null=True, blank=True, help_text="Patterns of callers, joined by colons."
    )
    carrier = models.CharField(max_length=TEXT_LENGTH, null=True, blank=True)
    description = models.CharField(max_length=1024, null=True, blank=True)
    direction = models.CharField(
        max_length=8, choices=Direction, null=True, blank=True, help_text="Empty: both."
    )
    internal_rate_cost = models.DecimalField(
        max_digits=COST_DIGITS,
        decimal_places=COST_PLACES,
        null=True,
        blank=True,
        validators=[validate_positive],
        help_text="What a minute costs the reseller.",
    )
    iso_country_code = models.CharField(
        "country", max_length=2, null=True, blank=True, validators=[validate_country]
    )
    options = models.JSONField(default=list, blank=True)
    prefix = models.CharField(max_length=PREFIX_LENGTH, validators=[validate_prefix])
    rate_cost = models.DecimalField(
        max_digits=COST_DIGITS,
        decimal_places=COST_PLACES,
        validators=[validate_positive],
        help_text="What a minute costs.",
    )
    rate_increment = models.PositiveIntegerField(
        null=True, blank=True, help_text="Seconds that are charged at a time; empty: 60."
    )
    rate_minimum = models.PositiveIntegerField(
        null=True, blank=True, help_text="Seconds that are charged at least; empty: 60."
    )
    rate_name = models.CharField(
        max_length=TEXT_LENGTH,
        blank=True,
        help_text="Empty: made from direction, country and prefix.",
    )
    rate_nocharge_time = models.PositiveIntegerField(
        null=True, blank=True, help_text="Calls shorter than so many seconds are free."
    )
    rate_suffix = models.CharField(max_length=64, null=True, blank=True)
    rate_surcharge = models.DecimalField(
        max_digits=COST_DIGITS,
        decimal_places=COST_PLACES,
        null=True,
        blank=True,
        validators=[validate_positive],
        help_text="What being connected costs.",
    )
    rate_version = models.CharField(max_length=TEXT_LENGTH, null=True, blank=True)
    routes = models.JSONField(
        default=list, blank=True, help_text="Patterns of numbers; empty: made from the prefix."
    )
    weight = models.PositiveSmallIntegerField(
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text="1 to 100, the heavier first; empty: made from prefix and cost.",
    )

    # not a foreign key, because the rate outlives the task; with it, an import says which row of
    # its own file a row overwrites
    task_id = models.CharField(
        max_length=TASK_ID_LENGTH,
        null=True,
        editable=False,
        help_text="The import that wrote it last; empty: a person.",
    )
    task_row = models.PositiveIntegerField(
        null=True, editable=False, help_text="The row of that import's file."
    )

    objects = RateQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["ratedeck", "rate_id"], name="rate_once_per_deck"),
            models.CheckConstraint(condition=~Q(rate_id=""), name="rate_has_an_id"),
            models.CheckConstraint(condition=~Q(prefix=""), name="rate_has_a_prefix"),
            models.CheckConstraint(
                condition=Q(weight__gte=1, weight__lte=100), name="rate_weight_within_1_and_100"
            ),
            models.CheckConstraint(condition=Q(rate_cost__gte=0), name="rate_cost_not_negative"),
        ]
        indexes = [
            models.Index(fields=["ratedeck", "prefix"], name="rate_prefix"),
            models.Index(
                fields=["account"], condition=Q(account__isnull=False), name="rate_for_an_account"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rate_id} {self.rate_name}"
