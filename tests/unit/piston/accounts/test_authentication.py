import pytest
from django.test import RequestFactory

from piston.accounts.authentication import read_token


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ({}, None),
        ({"X-Auth-Token": "abc"}, "abc"),
        ({"X-Auth-Token": "  abc "}, "abc"),
        ({"X-Auth-Token": ""}, None),
        ({"Authorization": "Bearer abc"}, "abc"),
        ({"Authorization": "bearer  abc"}, "abc"),
        ({"Authorization": "Bearer"}, None),
        ({"Authorization": "Basic dXNlcjpwYXNz"}, None),
        ({"X-Auth-Token": "first", "Authorization": "Bearer second"}, "first"),
    ],
)
def test_the_token_of_a_request_is_read(headers: dict[str, str], token: str | None) -> None:
    request = RequestFactory().get("/", headers=headers)

    assert read_token(request) == token
