"""Do records come back from their CSV, wherever their JSON text is cut into blocks?"""

from __future__ import annotations

import io
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks_app.csv_files import json_text
from tasks_app.csv_files.records import RecordRules, convert
from tests.unit.tasks_app.csv_files.json_documents import (
    answer,
    broken_documents,
    csv_of,
    documents,
    expected_rows,
    rows_of,
)


def body(records: str) -> bytes:
    return b'{"data": {"records": %b}}' % records.encode()


# ---- what they become ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("records", "text"),
    [
        ('[{"number": "+1415", "account_id": "ab"}]', "number,account_id\n+1415,ab\n"),
        ('[{"b": "1"}, {"a": "2", "b": "3"}, {}]', "b,a\n1,\n3,2\n,\n"),
        ('[{"a": null, "b": ""}]', "a,b\n,\n"),
        ('[{"a": null}]', 'a\n""\n'),
        ('[{}, {"a": 1}]', 'a\n""\n1\n'),
        ('[{}, {"a": 1, "b": 2}]', 'a,b\n"",\n1,2\n'),
        ('[{"a": true, "b": false}]', "a,b\ntrue,false\n"),
        ('[{"a": 0, "b": -7, "c": 1.5, "d": -0}]', "a,b,c,d\n0,-7,1.5,0\n"),
        (
            '[{"a": 0.00001, "b": -2.5e-7, "c": 1e20}]',
            "a,b,c\n0.00001,-0.00000025,100000000000000000000\n",
        ),
        ('[{"a": 1e-300, "b": -1e300, "c": 1e30}]', "a,b,c\n1e-300,-1e+300,1" + 30 * "0" + "\n"),
        ('[{"a": 12345678901234567890}]', "a\n12345678901234567890\n"),
        ('[{"a": ["\\u00e9", 1], "b": {}}]', 'a,b\n"[""é"",1]",{}\n'),
        ('[{"a": {"b": {"c": null}}}]', 'a\n"{""b"":{""c"":null}}"\n'),
        ('[{"a,b": "x\\ny"}]', '"a,b"\n"x\ny"\n'),
        ('[{"a": "\\ud83d\\ude00"}]', "a\n😀\n"),
        ('[{"a": 1, "a": 2}]', "a\n2\n"),
        ('[{"a": "x\\ny"}, {"b": "\\u00ff"}]', 'a,b\n"x\ny",\n,ÿ\n'),
    ],
)
@pytest.mark.parametrize("block_bytes", [1, 2**20])
def test_records_become_a_header_and_a_row_each(records: str, text: str, block_bytes: int) -> None:
    content, _ = answer(body(records), block_bytes=block_bytes)

    assert content.decode() == text


@given(documents())
@settings(max_examples=150, deadline=None)
def test_a_body_is_read_as_plain_python_reads_it(text: bytes) -> None:
    expected = expected_rows(text)
    content, said = answer(text)

    if expected is None or not isinstance(said.get("file_name"), str | None):
        assert isinstance(content, str) or not said["has_records"]
    elif isinstance(content, bytes):
        assert rows_of(content) == [
            {name: cell for name, cell in row.items() if cell} for row in expected
        ]
    else:  # only for what is beside the records
        assert (content, said["reason"][:9]) == ("FaultyDocument", "file_name")


@given(documents() | broken_documents(), st.sampled_from([1, 2, 7, 40]))
@settings(max_examples=200, deadline=None)
def test_how_a_body_is_cut_changes_no_word_of_the_answer(text: bytes, block_bytes: int) -> None:
    assert answer(text, block_bytes=block_bytes) == answer(text)


@given(broken_documents())
@settings(max_examples=150, deadline=None)
def test_what_is_no_json_is_never_taken(text: bytes) -> None:
    try:
        json.loads(text.decode("utf-8-sig"))
    except ValueError:
        assert isinstance(answer(text)[0], str) or not text.strip()


# ---- what is beside them -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "head"),
    [
        (b"", {"file_name": None, "has_records": False}),
        (b" \n", {"file_name": None, "has_records": False}),
        (b"{}", {"file_name": None, "has_records": False}),
        (b'{"data": null, "x": 1}', {"file_name": None, "has_records": False}),
        (b'{"data": {"records": null}}', {"file_name": None, "has_records": False}),
        (b'{"data": {"file_name": ""}}', {"file_name": None, "has_records": False}),
        (
            b'{"data": {"file_name": "x", "records": [{"a": 1}]}}',
            {"file_name": "x", "has_records": True},
        ),
        (
            b'{"data": {"records": [{"a": 1}], "y": [2], "file_name": "x"}, "records": 7}',
            {"file_name": "x", "has_records": True},
        ),
        (
            b'{"data": {"records": [{"b": 1}], "file_name": "y"}, "data": {"records": [{"a": 1}]}}',
            {"file_name": None, "has_records": True},
        ),
    ],
)
def test_a_body_may_have_a_file_name_and_anything_else(text: bytes, head: dict[str, Any]) -> None:
    content, said = answer(text)

    assert said == head
    assert content == (b"a\n1\n" if head["has_records"] else b"")


def test_records_for_an_action_without_input_are_refused_where_they_begin() -> None:
    rules = RecordRules(takes_input=False, most_columns=1, most_absent_cells=1)

    assert answer(body('[{"a"'), rules=rules) == ("UnexpectedContent", {"expected_content": "none"})


# ---- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"[]", "the body has to be a JSON object"),
        (b'"text"', "the body has to be a JSON object"),
        (b"\xff\xfe{\0}\0", "not UTF-8: byte 0xff at byte offset 0"),
        ('{"é": 1}'.encode("utf-16-be"), "not UTF-8: byte 0xe9 at byte offset 5"),
        ('{"e": 1}'.encode("utf-16-be"), "Expecting value: line 1 column 1 (char 0)"),
        (b'{\n "a": "\xff"}', "not UTF-8: byte 0xff at byte offset 9"),
        (b"{", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        (b'{"a":1,', "Expecting property name enclosed in double quotes: line 1 column 8 (char 7)"),
        (b"{'a':1}", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        (b'{"a": 1} x', "Extra data: line 1 column 10 (char 9)"),
        (b'{"a" 1}', "Expecting ':' delimiter: line 1 column 6 (char 5)"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b'{"data": {"records": [{"a": [-Infinity]}]}}', "-Infinity is not JSON"),
        (b'{"a": ' + b"[" * 3_000, "it is nested too deeply"),
        (b'{"a": 1\n,\n"b": 01}', "Expecting ',' delimiter: line 3 column 7 (char 16)"),
        (body('[\n{"a": 1}\n{"b": 2}]'), "Expecting ',' delimiter: line 3 column 1 (char 32)"),
        (body('[{"a": 1},]'), "Expecting value: line 1 column 32 (char 31)"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("block_bytes", [1, 3, 2**20])
def test_what_is_no_json_object_is_refused_with_its_place(
    text: bytes, reason: str, block_bytes: int
) -> None:
    assert answer(text, block_bytes=block_bytes) == ("InvalidJSON", {"reason": reason})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b'{"records": []}', '{"data"'),
        (b'{"data": [{"records": []}]}', '{"data"'),
        (b'{"data": "x"}', '{"data"'),
        (b'{"data": null, "records": []}', '{"data"'),
        (b'{"data": {"file_name": 7}}', "file_name"),
        (b'{"data": {"file_name": ["x"]}}', "file_name"),
    ],
)
def test_an_object_that_holds_something_else_is_refused(text: bytes, words: str) -> None:
    name, said = answer(text)

    assert name == "FaultyDocument"
    assert words in said["reason"]


@pytest.mark.parametrize(
    ("records", "words", "row"),
    [
        ("[]", "list with at least one object", None),
        ('{"a": 1}', "list with at least one object", None),
        ('"abc"', "list with at least one object", None),
        ('[{"a": 1}, ["a"]]', "not an object", 2),
        ('[{"a": 1}, null]', "not an object", 2),
        ("[1.5]", "not an object", 1),
        ("[{}, {}]", "no fields", 1),
        ('[{"a": 1}, {"a": 1e999}]', "no cell can hold", 2),
        ('[{"a": 1}, {"a": [-1e999]}]', "no cell can hold", 2),
        ('[{"a": 1}, {"a": "x\\ud83d"}]', r"\ud83d, is not a character", 2),
        ('[{"a": 1}, {"a": "\\ud800\\u0041"}]', r"\ud800, is not a character", 2),
        ('[{"a": 1}, {"\\udc00": 1}]', r"\udc00, is not a character", 2),
        ('[{"a": ["\\ud83d"]}]', "is not a character", 1),
    ],
)
@pytest.mark.parametrize("block_bytes", [1, 2**20])
def test_a_record_that_no_row_can_stand_for_is_refused(
    records: str, words: str, row: int | None, block_bytes: int
) -> None:
    name, said = answer(body(records), block_bytes=block_bytes)

    assert (name, said["row"]) == ("CSVFormatError", row)
    assert words in said["reason"]


def test_the_first_fault_wins() -> None:
    assert answer(body('[{"a": 1}, 7, {"a": }'))[0] == "CSVFormatError"
    assert answer(body('[{"a": 1}, {"a": }, 7'))[0] == "InvalidJSON"


def test_few_bytes_of_records_cannot_become_many_of_csv() -> None:
    rules = RecordRules(takes_input=True, most_columns=100, most_absent_cells=500)
    wide = dict.fromkeys([f"column_{number}" for number in range(100)], "")

    early, late = ([wide] + 6 * [{}], 6 * [{}] + [wide])

    for records in early, late:
        name, said = answer(body(json.dumps(records)), rules=rules)
        assert name == "TooManyAbsentCells"
        assert "more cells than the limit of 500" in said["reason"]


def test_a_key_too_many_is_refused_where_it_comes() -> None:
    rules = RecordRules(takes_input=True, most_columns=2, most_absent_cells=100)

    name, said = answer(body('[{"a": 1}, {"b": 1}, {"c": 1}, 7'), rules=rules)

    assert (name, said["row"], said["expected"]) == ("CSVFormatError", 3, 2)


def test_a_value_that_is_too_long_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_text, "MAX_VALUE_LENGTH", 100)
    source = io.BytesIO(body('[{"a": "' + "x" * 10**6))
    monkeypatch.setattr(json_text, "BLOCK_BYTES", 100)

    from tasks_app.errors import InvalidJSON
    from tests.unit.tasks_app.csv_files.json_documents import RULES

    with pytest.raises(InvalidJSON, match="longer than the limit of 100"):
        convert(source, io.BytesIO(), RULES)

    assert source.tell() < 1_000


def test_memory_does_not_grow_with_the_body(tmp_path: Any) -> None:
    text = body("[" + ",".join(100_000 * ['{"a": 12345}']) + "]")
    source = io.BytesIO(text)
    rules = RecordRules(takes_input=True, most_columns=10, most_absent_cells=10)
    with (tmp_path / "spool").open("w+b") as spool:
        tracemalloc.start()
        try:
            _, blocks = convert(source, spool, rules)
            lines = sum(block.count(b"\n") for block in blocks)
            peak_bytes = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert lines == 100_001
    assert peak_bytes < 10 * 2**20


@pytest.mark.parametrize("records", [[{"a": "1"}, {"b": "\x00"}], [{"a": "\ud7ff\ue000"}]])
def test_rows_are_told_apart_whatever_is_in_them(records: Any) -> None:
    assert csv_of(records).count(b"\n") == len(records) + 1
