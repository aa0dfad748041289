"""One column of each type, and texts that are near to its rule."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from categories import columns
from categories.columns import Column

KINDS: dict[str, Column[Any]] = {
    "text": columns.TextColumn("Help."),
    "text with limits": columns.TextColumn("Help.", min_length=2, max_length=4),
    "pattern": columns.PatternColumn("Help.", pattern=r"\w{2}-[0-9]*", example="ab-1"),
    "pattern of anything": columns.PatternColumn("Help.", pattern=r"[^,]{1,3}", example="a"),
    "e164": columns.E164Column("Help."),
    "account": columns.AccountColumn("Help."),
    "integer": columns.IntegerColumn("Help."),
    "integer with limits": columns.IntegerColumn("Help.", minimum=-5, maximum=50),
    "decimal": columns.DecimalColumn("Help."),
    "decimal with limits": columns.DecimalColumn("Help.", minimum=0, maximum=3),
    "money": columns.MoneyColumn("Help."),
    "money without places": columns.MoneyColumn("Help.", places=0),
    "boolean": columns.BooleanColumn("Help."),
    "choice": columns.ChoiceColumn("Help.", choices=["a", "b c", "ä"]),
    "country": columns.CountryColumn("Help.", also=["XK"]),
    "date": columns.DateColumn("Help."),
    "moment": columns.MomentColumn("Help."),
    "timestamp": columns.DateTimeColumn("Help."),
    "duration": columns.DurationColumn("Help."),
    "json": columns.JSONColumn("Help."),
    "list": columns.ListColumn("Help.", max_count=3, max_length=5),
    "email": columns.EmailColumn("Help."),
    "url": columns.URLColumn("Help."),
}

NEAR = (
    r"-?[0-9]{0,12}(\.[0-9]{0,10})?([eE][+-]?[0-9]{1,5})?",
    r"[0-9]{4}-[01][0-9]-[0-3][0-9]",
    r"2[0-9]{3}-0[1-9]-[0-2][0-9][Tt ][0-2][0-9](:[0-6][0-9]){2}(\.[0-9]{1,7})?([Zz]|[+-]01:30)?",
    r"P([0-9]{1,11}W|([0-9]{1,3}D)?(T([0-9]{1,4}H)?([0-9]{1,4}M)?([0-9]{1,11}S)?)?)",
    r"[0-9]{1,7}(:[0-9]{2}){1,2}",
    r"\+[0-9]{1,16}",
    r"[0-9a-f]{31,33}",
    r"([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee])",
    r"[A-Za-z]{2}",
    r"[a-z]{1,3}@[a-z]{1,3}(\.[a-z]{2,3})?",
    r"https?://([a-z]@)?[a-z]{1,5}(\.[a-z]{2,3})?(/[^ ]{0,5})?",
    r'\["(\\u[0-9a-f]{4}|[^"\\]){0,4}"(,"b")?\]',
    r'\{"(\\u[0-9a-f]{4}|[^"\\]){0,4}":\[-?[0-9]{1,3}(\.[0-9]{1,3})?(e[0-9]{1,3})?,null,true\]\}',
)
# all of Unicode, with NUL and halves of surrogate pairs
ANYTHING = st.text(st.characters(exclude_categories=()))
CELLS = st.one_of(
    ANYTHING,
    *(st.from_regex(near, fullmatch=True) for near in NEAR),
    st.sampled_from(["", " ", "\t ", "\n", "\0", "\ud800", *(k.example for k in KINDS.values())]),
)
