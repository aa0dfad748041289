import json
import logging

import pytest

from piston import masking

SECRET = "s3cret/key+1"


@pytest.fixture(autouse=True)
def hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masking, "_secrets", set())
    masking.hide(SECRET)


@pytest.mark.parametrize(
    "text", [f"key={SECRET}", "url?key=s3cret%2Fkey%2B1", repr({"key": SECRET}), SECRET * 2]
)
def test_a_secret_is_replaced_in_every_spelling(text: str) -> None:
    masked = masking.mask(text)

    assert "s3cret" not in masked
    assert masking.MASK in masked


@pytest.mark.parametrize("is_ascii", [True, False])
def test_a_secret_is_replaced_in_json(is_ascii: bool) -> None:
    key = 'k\u00e9y"with\\4242'
    masking.hide(key)

    masked = masking.mask(json.dumps({"key": key}, ensure_ascii=is_ascii))

    assert json.loads(masked) == {"key": masking.MASK}


def test_a_secret_that_begins_with_another_is_replaced_whole() -> None:
    for length in range(8, 32):
        masking.hide("0123456789abcdefghijklmnopqrstuv"[:length])

    assert masking.mask("0123456789abcdefghijklmnopqrstu!") == f"{masking.MASK}!"


def test_other_text_stays_as_it_is() -> None:
    assert masking.mask("the key is missing") == "the key is missing"


def test_a_short_value_is_not_masked_because_it_is_part_of_ordinary_words() -> None:
    masking.hide("on")

    assert masking.mask("connection lost") == "connection lost"


def test_a_log_line_has_no_secret_in_message_arguments_or_traceback() -> None:
    try:
        int(f"GET https://x/?key={SECRET}")
    except ValueError as error:
        info = (type(error), error, error.__traceback__)
    record = logging.LogRecord("x", logging.ERROR, "x", 1, "sent %s", (SECRET,), info)

    line = masking.MaskingFormatter("%(message)s").format(record)

    assert SECRET not in line
    assert "Traceback" in line


def test_the_log_of_every_process_is_formatted_without_secrets() -> None:
    from django.conf import settings

    formats = {handler["formatter"] for handler in settings.LOGGING["handlers"].values()}
    assert [settings.LOGGING["formatters"][name]["()"] for name in formats] == [
        "piston.masking.MaskingFormatter"
    ]
