import json
import re
from typing import Any

import pytest
from django.conf import settings
from django.test import RequestFactory

from piston.http.envelope import Enveloped, encode_json, hash_revision, without_nulls
from piston.node import node_name


def envelope(answer: Enveloped, **headers: str) -> dict[str, Any]:
    request = RequestFactory().get("/v2/tasks", headers=headers)
    request.request_id = "abc"  # type: ignore[attr-defined]
    return json.loads(encode_json(answer.envelope(request)))


def test_a_success_has_exactly_these_keys() -> None:
    body = envelope(Enveloped({"a": 1}, revision="7"))

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", body.pop("timestamp"))
    assert body == {
        "data": {"a": 1},
        "node": node_name(),
        "request_id": "abc",
        "revision": "7",
        "status": "success",
        "version": settings.VERSION,
    }


def test_an_error_has_exactly_these_keys() -> None:
    body = envelope(Enveloped(["x"], status=404, message="bad identifier"))

    assert body.pop("timestamp")
    assert body == {
        "data": ["x"],
        "error": "404",
        "message": "bad identifier",
        "node": node_name(),
        "request_id": "abc",
        "status": "error",
        "version": settings.VERSION,
    }


def test_a_page_of_a_list_says_where_it_stands() -> None:
    body = envelope(Enveloped([], page_size=2, start_key="a", next_start_key="b"))

    assert (body["page_size"], body["start_key"], body["next_start_key"]) == (2, "a", "b")


def test_an_empty_page_still_says_its_size() -> None:
    assert envelope(Enveloped([], page_size=0))["page_size"] == 0


def test_the_token_is_echoed_when_the_request_carried_one() -> None:
    assert envelope(Enveloped({}), **{"X-Auth-Token": "secret"})["auth_token"] == "secret"


def test_a_new_token_goes_before_the_one_sent() -> None:
    body = envelope(Enveloped({}, auth_token="new"), **{"X-Auth-Token": "old"})

    assert body["auth_token"] == "new"


def test_no_data_is_an_empty_object() -> None:
    assert envelope(Enveloped(None))["data"] == {}


def test_without_a_revision_the_data_decide() -> None:
    first, same, other = (Enveloped({"a": n}).revision for n in (1, 1, 2))

    assert first == same != other


@pytest.mark.parametrize(
    ("document", "left"),
    [
        ({"a": None, "b": {"c": None}}, {"b": {}}),
        ([{"a": None}, {"b": 0}], [{}, {"b": 0}]),
        ({"a": "", "b": False, "c": 0, "d": []}, {"a": "", "b": False, "c": 0, "d": []}),
    ],
)
def test_null_is_never_shown(document: Any, left: Any) -> None:
    assert without_nulls(document) == left


def test_half_a_surrogate_pair_stays_valid_json() -> None:
    encoded = encode_json({"a": "é\ud800"})

    assert encoded == '{"a":"é\\ud800"}'.encode()
    assert json.loads(encoded) == {"a": "é\ud800"}


def test_numbers_that_json_does_not_have_are_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode_json({"a": float("nan")})


def test_a_revision_is_32_hex_characters() -> None:
    assert re.fullmatch("[0-9a-f]{32}", hash_revision({"a": 1}))
