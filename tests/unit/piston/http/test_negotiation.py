import pytest
from django.test import RequestFactory
from rest_framework.exceptions import NotAcceptable
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from piston.http.negotiation import Negotiation


class Json(BaseRenderer):
    media_type = "application/json"
    format = "json"


class Csv(BaseRenderer):
    media_type = "text/csv"
    format = "csv"
    also_known_as = ("text/comma-separated-values", "application/octet-stream")


def choose(offers: list[BaseRenderer], accept: str | None = None, query: str = "") -> str:
    headers = {} if accept is None else {"Accept": accept}
    request = Request(RequestFactory().get(f"/{query}", headers=headers))
    return Negotiation().select_renderer(request, offers)[1]


@pytest.mark.parametrize(
    "accept",
    [
        None, "", "*/*", "application/json", "application/*", "text/html", "image/png, nonsense",
        "text/html,application/xhtml+xml,*/*;q=0.8", ",,;q=;", "application/json;q=x", "a" * 10_000,
        "text/csv;q=0", "*/*;q=0, application/json", "APPLICATION/JSON",
    ],
)  # fmt: skip
def test_an_endpoint_of_json_answers_in_json(accept: str | None) -> None:
    assert choose([Json()], accept) == "application/json"


@pytest.mark.parametrize("accept", ["application/json;q=0", "*/*;q=0", "application/*; q=0.0"])
def test_who_excludes_json_is_refused(accept: str) -> None:
    with pytest.raises(NotAcceptable):
        choose([Json()], accept)


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("text/html", "application/json"),
        ("text/csv", "text/csv"),
        ("text/*", "text/csv"),
        ("Text/CSV; header=present", "text/csv"),
        ("text/comma-separated-values", "text/csv"),
        ("application/octet-stream", "text/csv"),
        ("application/json, text/csv", "application/json"),
        ("application/json;q=0.5, text/csv;q=0.8", "text/csv"),
        ("text/csv;q=0.5, application/json;q=0.8", "application/json"),
        ("text/csv;q=0.5, */*;q=0.1", "text/csv"),
        ("application/json;q=0", "text/csv"),
        ("*/*;q=0, text/csv", "text/csv"),
    ],
)
def test_what_the_client_prefers_is_chosen(accept: str | None, media_type: str) -> None:
    assert choose([Json(), Csv()], accept) == media_type


@pytest.mark.parametrize(
    ("query", "media_type"),
    [
        ("?accept=csv", "text/csv"),
        ("?accept=text/csv", "text/csv"),
        ("?accept=json", "application/json"),
        ("?accept=nonsense", "application/json"),
        ("?format=csv", "application/json"),
    ],
)
def test_the_query_goes_before_the_header(query: str, media_type: str) -> None:
    accept = "text/csv" if query == "?accept=json" else "application/json"

    assert choose([Json(), Csv()], accept, query) == media_type
