from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from categories import registry
from categories.columns import TextColumn
from categories.contract import Category, Row, RowAction
from categories.models import RegisteredCategory
from tests.factories import AccountFactory, make_client
from tests.integration.tasks_app.api.calls import assert_error

pytestmark = pytest.mark.django_db


def helped(client: Client, query: str = "") -> Any:
    response = client.get(f"/v2/tasks{query}")
    assert response.status_code == 200, response.content
    return response.json()["data"]["tasks"]


def test_an_action_with_input_says_what_it_wants(client: Client) -> None:
    described = helped(client, "?category=trial&action=check")

    assert described == {
        "check": {
            "description": "Read rows and say what was seen.",
            "doc": "For tests of actions without effects.",
            "expected_content": "text/csv",
            "mandatory": ["name"],
            "optional": ["do"],
            "columns": [
                {
                    "name": "name",
                    "type": "text",
                    "rule": "any text",
                    "help": "What to echo.",
                    "example": "text",
                    "mandatory": True,
                },
                {
                    "name": "do",
                    "type": "text",
                    "rule": "any text",
                    "help": "What is to become of the row.",
                    "example": "text",
                    "mandatory": False,
                },
            ],
            "schema": {
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "title": "Read rows and say what was seen.",
                "type": "object",
                "properties": {
                    "name": {
                        "description": "What to echo.",
                        "type": "string",
                        "not": {"$ref": "#/$defs/unset"},
                        "examples": ["text"],
                    },
                    "do": {
                        "description": "What is to become of the row.",
                        "anyOf": [{"$ref": "#/$defs/unset"}, {"type": "string"}],
                        "examples": ["text"],
                    },
                    "seen": {"description": "Accepted and ignored: the action writes it itself."},
                    "error": {"description": "Accepted and ignored: the action writes it itself."},
                },
                "patternProperties": {},
                "required": ["name"],
                "additionalProperties": False,
                "$defs": {"unset": {"type": ["null", "string"], "pattern": r"^[ \t]*$"}},
            },
            "output": ["seen"],
        }
    }


def test_an_action_without_input_wants_nothing(client: Client) -> None:
    described = helped(client, "?category=trial&action=count")["count"]

    assert described.keys() == {"description", "doc", "output"}


def test_a_category_shows_its_actions(client: Client) -> None:
    described = helped(client, "?category=trial")

    assert described["check"] == helped(client, "?category=trial&action=check")["check"]
    assert {"check", "add", "count", "forbidden"} <= described.keys()


def test_without_a_category_all_are_shown(client: Client) -> None:
    described = helped(client)

    assert described["trial"] == helped(client, "?category=trial")
    assert {"number_management", "services", "rates"} <= described.keys()


@pytest.mark.parametrize(
    "query",
    [
        "?category=services&action=blipblop",
        "?category=magic&action=list",
        "?category=magic",
        "?action=list",
        "?category=&action=list",
        "?category=%00&action=%00",
    ],
)
@pytest.mark.parametrize("accept", ["*/*", "text/csv"])
def test_what_is_unknown_is_an_invalid_request(client: Client, query: str, accept: str) -> None:
    response = client.get(f"/v2/tasks{query}", headers={"Accept": accept})

    reason = response.json()["data"].get("reason", "")
    assert_error(response, 500, "invalid request", {"message": "invalid request", "reason": reason})
    assert reason


def test_a_csv_to_fill_in(client: Client) -> None:
    for options in ({"headers": {"Accept": "text/csv"}}, {"query_params": {"accept": "csv"}}):
        path = "/v2/tasks?category=number_management&action=delete"
        query: Any = options.get("query_params", {})
        extra = "".join(f"&{name}={value}" for name, value in query.items())
        response = client.get(path + extra, headers=options.get("headers"))

        assert response.status_code == 200
        assert response.headers["Content-Type"] == "text/csv"
        header, example = response.content.decode().splitlines()
        assert header.split(",")[0] == "e164"
        assert example.startswith("+1")


@pytest.mark.parametrize("query", ["", "?category=trial", "?category=trial&action=count"])
def test_where_no_csv_fits_the_answer_is_json(client: Client, query: str) -> None:
    response = client.get(f"/v2/tasks{query}", headers={"Accept": "text/csv"})

    assert response.headers["Content-Type"] == "application/json"


def test_a_token_is_echoed_and_has_to_be_good() -> None:
    client = make_client(AccountFactory.create())

    assert helped(client)
    assert "auth_token" in client.get("/v2/tasks").json()
    assert client.get("/v2/tasks", headers={"X-Auth-Token": "bad"}).status_code == 401


def test_who_has_this_revision_gets_304(client: Client) -> None:
    etag = client.get("/v2/tasks").headers["ETag"]

    assert client.get("/v2/tasks", headers={"If-None-Match": etag}).status_code == 304


def test_a_disabled_category_is_not_offered(client: Client) -> None:
    records = RegisteredCategory.objects.filter(name="services")
    records.update(is_enabled=False, checked_at=timezone.now())
    registry.expire()
    try:
        offered = helped(client)
        response = client.get("/v2/tasks?category=services&action=descendant_quantities")
    finally:
        records.update(is_enabled=True)
        registry.expire()

    assert "services" not in offered
    assert response.json()["message"] == "invalid request"


class Greet(RowAction):
    """Greet.

    For a category that changes.
    """

    name_ = TextColumn("Whom.", name="name", mandatory=True)

    def process(self, row: Row, context: Any) -> None:
        """Do nothing."""


class Greet2(Greet):
    """Greet twice.

    The next version.
    """

    name = "greet"


def test_a_new_version_of_a_category_has_new_help(client: Client) -> None:
    def version(number: str, action: type[RowAction]) -> type[Category]:
        documented = {"__doc__": "Greetings.", "name": "greetings", "version": number}
        return type("Greetings", (Category,), {**documented, "actions": [action]})

    described = []
    for category in (version("1", Greet), version("2", Greet2)):
        with registry.registered(category):
            described.append(helped(client, "?category=greetings")["greet"]["description"])

    assert described == ["Greet.", "Greet twice."]
