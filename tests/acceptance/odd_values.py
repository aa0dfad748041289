"""Which values, headers and bodies are odd enough to break something? Some have, elsewhere."""

from __future__ import annotations

import gzip
import json
from base64 import urlsafe_b64encode
from functools import cache
from urllib.parse import quote_from_bytes

from hypothesis import strategies as st

CSV_LINES = b"number,account_id\n+14157215234,009afc511c97b2ae693c6cc4920988e8\n"
MEBIBYTE = 2**20

ODD = [
    "",
    " ",
    "0",
    "-1",
    "1e999",
    "null",
    "true",
    "NaN",
    "9" * 5_000,
    "9" * 19,
    "a" * 2_000,
    "\0",
    "\x01",
    "\r\nX-Injected: 1",
    "%",
    "%zz",
    "é",
    "𝄞",
    "\u202e",
    "\ud800",
    "١٢٣",
    "../../etc/passwd",
    "'",
    '"',
    "';--",
    "<script>",
    "{{7*7}}",
    "[]",
    "{}",
    '["a"]',
    "[" * 900,
    '["\\ud800"]',
    "[1]",
    "[null]",
    '["\\u0000"]',
    "[" + ",".join(['"pending"'] * 250) + "]",
    "pending",
    "success",
    "removed",
    "number_management",
    "add",
    "in.csv",
    "out.csv",
    "csv",
    "text/csv",
    "safe",
    "MTYzMjAyNTk5My0w",
    "=" * 9,
    "e30",
    "AAAA",
    "2",
    "1000",
    "1001",
    "63795168000",
]
odd_text = st.one_of(st.sampled_from(ODD), st.text(max_size=12))
odd_bytes = st.one_of(
    odd_text.map(lambda text: text.encode("utf-8", "surrogatepass")), st.binary(max_size=12)
)


def header_value(value: bytes) -> bytes:
    """Return bytes that stay within one header line, else all would end at the parser."""
    return value.replace(b"\r", b"").replace(b"\n", b"")


odd_header = st.one_of(*3 * [odd_bytes.map(header_value)], odd_bytes)
PARAMETERS = [
    "category",
    "action",
    "file_name",
    "page_size",
    "start_key",
    "filter_status",
    "filter_not_status",
    "filter_category",
    "filter_action",
    "filter_",
    "filter_wef",
    "created_from",
    "created_to",
    "accept",
    "csv_name",
    "spreadsheet",
    "_",
    "format",
]
encoded = odd_bytes.map(lambda value: quote_from_bytes(value).encode())
parameters = st.tuples(st.sampled_from(PARAMETERS).map(str.encode), st.one_of(encoded, encoded))
queries = st.lists(parameters, max_size=3).map(
    lambda pairs: b"&".join(b"%b=%b" % pair for pair in pairs)
)
LIST_PARAMETERS = [name for name in PARAMETERS if name.startswith(("page", "start", "fil", "crea"))]
odd_places = st.builds(
    lambda time, task_id: urlsafe_b64encode(f"{time}-{task_id}".encode()).rstrip(b"="),
    st.one_of(st.integers(-1, 10**18), odd_text.map(lambda text: text.encode("ascii", "ignore"))),
    st.sampled_from(["0" * 30, "f" * 30, "", "0" * 31]),
)
list_queries = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(LIST_PARAMETERS).map(str.encode), encoded),
        st.tuples(st.just(b"start_key"), odd_places),
    ),
    min_size=1,
    max_size=2,
).map(lambda pairs: b"&".join(b"%b=%b" % pair for pair in pairs))
sensible_queries = st.sampled_from(
    [
        b"category=number_management&action=add",
        b"category=number_management&action=list",
        b"category=number_management",
        b"csv_name=in.csv",
        b"csv_name=out.csv&accept=csv",
        b"page_size=1",
        b"filter_status=success",
    ]
)


VALUES: dict[bytes, list[bytes]] = {
    b"Content-Type": [
        b"text/csv",
        b"text/csv",
        b"application/json",
        b"application/octet-stream",
        b"TEXT/CSV; charset=\xff",
        b"multipart/form-data",
        b"multipart/form-data; boundary=x",
        b"application/x-www-form-urlencoded",
        b"text/plain",
    ],
    b"Content-Encoding": [b"gzip", b"gzip", b"identity", b"br", b"gzip, gzip"],
    b"Accept": [
        b"text/csv",
        b"*/*;q=0",
        b"application/json;q=0, text/csv;q=0",
        b"text/*",
        b";;;,,,",
        b"a" * 4000,
        b"text/csv;q=nan",
        b",".join([b"text/html;q=0.1"] * 300),
        b"*/*;q=inf",
        b"text/csv;q=-1",
    ],
    b"Range": [
        b"bytes=0-0",
        b"bytes=-1",
        b"bytes=5-",
        b"bytes=9-2",
        b"bytes=" + b"0-1," * 900,
        b"bytes=-0",
        b"bytes=",
        b"rows=1-2",
        b"bytes=0-99999999999999999999",
        b"bytes=999999999999999999-",
        b"bytes=1-2,5-6",
        b"bytes = 0 - 1",
    ],
    b"If-Range": [b"*", b'"x"', b"Mon, 23 Nov 2026 00:00:00 GMT"],
    b"If-Match": [b"*", b'"x"', b'W/"x"', b'"'],
    b"If-None-Match": [b"*", b'"x"', b"x" * 3000, b'"a", "b'],
    b"If-Modified-Since": [
        b"yesterday",
        b"Mon, 23 Nov 2026 00:00:00 GMT",
        b"Mon, 99 Nov 99999 99:99:99 GMT",
    ],
    b"If-Unmodified-Since": [b"Mon, 23 Nov 1970 00:00:00 GMT", b"-1"],
    b"X-Request-Id": [b"id", b"a" * 200, b"\xff\xfe", b"<b>"],
    b"Expect": [b"100-continue", b"100-Continue", b"a miracle"],
    b"Origin": [b"http://evil.example", b"null", b"\xff"],
    b"Access-Control-Request-Method": [b"PUT", b"FOO"],
    b"Connection": [b"keep-alive", b"upgrade", b"close, close"],
    b"Upgrade": [b"h2c", b"websocket"],
    b"Cookie": [b"a=b", b"sessionid=x", b";=;=", b"a" * 4000, b"csrftoken=\xff"],
    b"X-Forwarded-For": [b"1.2.3.4", b"x" * 3000, b"\xff"],
    b"X-Forwarded-Host": [b"evil"],
    b"X-HTTP-Method-Override": [b"DELETE"],
    b"Authorization": [b"Basic eDp5", b"Bearer", b"Bearer  ", b"bearer\xa0x"],
    b"Accept-Encoding": [b"gzip", b"*;q=0"],
    b"Content-Range": [b"bytes 0-1/2"],
    b"X-Many": [b"x" * 8000],
}
known_headers = st.sampled_from(
    [(name, value) for name, values in VALUES.items() for value in values]
)
odd_headers = st.one_of(
    st.tuples(st.sampled_from(sorted(VALUES)), odd_header),
    st.tuples(odd_header, odd_header),
    st.sampled_from([(b" folded", b"x"), (b"X Space", b"x"), (b"X_Auth_Token", b"x"), (b"", b"")]),
)


@cache
def odd_bodies() -> list[bytes]:
    """Return bodies that once broke something somewhere, small when they are sent."""
    records = {"data": {"records": [{"number": "+1", "account_id": "x"}], "file_name": "f"}}
    good = json.dumps(records).encode()
    return [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'"',
        good,
        CSV_LINES,
        CSV_LINES[:-20],
        b"\xef\xbb\xbf" + CSV_LINES,
        b"\xef\xbb\xbf" + good,
        b'{"data": null}',
        b'{"data": []}',
        b'{"data": {"records": {}}}',
        b'{"data": {"records": []}}',
        b'{"records": 1}',
        b'{"data": {"records": [1]}}',
        b'{"data": {"records": [{}]}}',
        b'{"data": {"records": [{"": 1}]}}',
        b'{"data": {"records": [{"number": 1e999}]}}',
        b'{"data": {"records": [{"number": %b}]}}' % (b"9" * 4_000),
        b'{"data": {"records": [{"number": %b}]}}' % (b"9" * 5_000),
        b'{"data": {"records": [{"number": 1e-300}]}}',
        b'{"data": {"records": [{"number": "\\ud800"}]}}',
        b'{"data": {"records": [{"\\udc00": "x"}]}}',
        b'{"a": NaN}',
        b'{"data": {"records": [{"number": "\\u0000", "account_id": "x"}]}}',
        b'{"data": {"file_name": "\\u0000"}}',
        b'{"data": {"file_name": 5}}',
        b'{"data": {"file_name": "%b"}}' % (b"x" * 1001),
        b'{"data": {"api_key": "\\ud800"}}',
        b'{"data": {"api_key": 5}}',
        b'{"data": {"api_key": "%b"}}' % (b"f" * 64),
        b'{"data": {"api_key": "\\u0000"}}',
        b'{"data": {"records": [{"number": ' + b"[" * 50_000,
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"data": {"records": [{"number": ' + b"[" * 300 + b"]" * 300 + b"}]}}",
        b'{"data": {"records": [' + b"{}," * 1_000 + b"{}]}}",
        b"a," * 5_000 + b"a\n",
        b",".join(b"c%d" % number for number in range(2_000)) + b"\n1\n",
        b"number,account_id\n" + b'"' + b"x" * 2 * MEBIBYTE,
        b"number,account_id\n" + b"x" * 2 * MEBIBYTE,
        b"\r" * 100_000,
        b"number,number\n1,2\n",
        b"number,account_id\n1,\xff\n",
        b"number,account_id\n1,\0\n",
        b"number,account_id\n" + b",\n" * 5_000,
        b"\xff\xfen\0",
        b"\0" * 1_000,
        b"Number,ACCOUNT_ID\n1,2\n",
        gzip.compress(CSV_LINES),
        gzip.compress(CSV_LINES)[:-5],
        gzip.compress(b"\0" * 30 * MEBIBYTE),
        gzip.compress(b"\n" * 30 * MEBIBYTE),
        gzip.compress(CSV_LINES + b"+1,x\n" * 50_000)[:-200],
        gzip.compress(b"[" * MEBIBYTE),
        b"\x1f\x8b",
        b"\x1f\x8b\x08\xff" + b"x" * 40,
        gzip.compress(good),
        gzip.compress(b" " * 30 * MEBIBYTE),
        gzip.compress(gzip.compress(CSV_LINES)),
    ]


bodies = st.one_of(
    st.integers(0, len(odd_bodies()) - 1).map(lambda place: odd_bodies()[place]),
    st.just(CSV_LINES),
    st.binary(max_size=40),
    st.lists(st.sampled_from(["number", "account_id", ",", "\n", '"', "+1415", "\r"]), max_size=20)
    .map("".join)
    .map(str.encode),
)
