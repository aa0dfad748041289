"""Endpoints that exist only to test what all endpoints share."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from piston.http.bodies import read_json
from piston.http.envelope import Enveloped, EnvelopeRenderer
from piston.http.errors import BadIdentifier
from piston.http.views import Endpoint


class CsvRenderer(BaseRenderer):
    media_type = "text/csv"
    format = "csv"


class Things(Endpoint):
    public_methods = frozenset({"GET"})

    def get(self, request: Request) -> Enveloped:
        return Enveloped([{"id": "a", "size": None}], page_size=1, next_start_key="b")

    def put(self, request: Request) -> Enveloped:
        return Enveloped({"account_id": self.account.pk, **read_json(request)}, status=201)


class AccountThings(Endpoint):
    renderer_classes = [EnvelopeRenderer, CsvRenderer]

    def get(self, request: Request, account_id: str) -> Enveloped | HttpResponse:
        if request.accepted_renderer.format == "csv":
            return HttpResponse("id\r\n", content_type="text/csv")
        return Enveloped({"account_id": self.account.pk, "actor_id": self.actor.pk}, revision="7")


class Failing(Endpoint):
    renderer_classes = [EnvelopeRenderer, CsvRenderer]
    page_size = 1

    def get(self, request: Request, account_id: str) -> Enveloped:
        return Enveloped({"answer": 1 / 0})

    def patch(self, request: Request, account_id: str) -> Enveloped:
        raise BadIdentifier("x", "task is not running")

    def delete(self, request: Request, account_id: str) -> Any:
        return Enveloped({"unencodable": object()}, revision="7")

    def put(self, request: Request, account_id: str) -> Any:
        return Response({"not": "enveloped"})


def fail_plainly(request: HttpRequest) -> HttpResponse:
    raise ZeroDivisionError


v2 = [
    path("things", Things.as_view()),
    path("plain", fail_plainly),
    path("accounts/<str:account_id>/things", AccountThings.as_view()),
    path("accounts/<str:account_id>/failing", Failing.as_view()),
]
urlpatterns = [
    path("v2/", include(v2)),
    path("plain", fail_plainly),
    path("", include("piston.urls")),
]
