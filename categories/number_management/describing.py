"""What does a number say to a person? Its country, its type and how it is written there."""

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
    """A number for people; "" where its numbering plan does not say."""

    country: str  # ISO 3166 code
    kind: str
    pretty: str


def describe_number(number: str) -> NumberDescription:
    """Return what the numbering plans know about an E.164 number."""
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return NumberDescription("", "", number)
    return NumberDescription(
        country=phonenumbers.region_code_for_number(parsed) or "",
        kind=TYPES.get(phonenumbers.number_type(parsed), ""),
        pretty=phonenumbers.format_number(parsed, PhoneNumberFormat.INTERNATIONAL),
    )
