"""Describes a number to people: its country, its type, and its local notation."""

from __future__ import annotations

from dataclasses import dataclass

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType

TYPES = {
    PhoneNumberType.FIXED_LINE: "fixed line",
    PhoneNumberType.MOBILE: "mobile",
    PhoneNumberType.FIXED_LINE_OR_MOBILE: "fixed line or mobile",
    PhoneNumberType.TOLL_FREE: "toll-free",
    PhoneNumberType.PREMIUM_RATE: "premium rate",
    PhoneNumberType.SHARED_COST: "shared cost",
    PhoneNumberType.VOIP: "VoIP",
    PhoneNumberType.PERSONAL_NUMBER: "personal",
    PhoneNumberType.PAGER: "pager",
    PhoneNumberType.UAN: "company-wide",
    PhoneNumberType.VOICEMAIL: "voicemail",
}


@dataclass(frozen=True)
class NumberDescription:
    """The description of a number; "" for what its numbering plan does not tell."""

    country: str  # ISO 3166 code
    kind: str
    pretty: str


def describe_number(number: str) -> NumberDescription:
    """Return the description of an E.164 number from the numbering plans."""
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return NumberDescription("", "", number)
    return NumberDescription(
        country=phonenumbers.region_code_for_number(parsed) or "",
        kind=TYPES.get(phonenumbers.number_type(parsed), ""),
        pretty=phonenumbers.format_number(parsed, PhoneNumberFormat.INTERNATIONAL),
    )
