"""Which URL leads where? Wiring only."""

from django.contrib import admin
from django.urls import include, path

from piston.http.readiness import readiness
from piston.http.sign_in import SignIn
from piston.http.views import health

urlpatterns = [
    path("admin/", admin.site.urls),
    path("healthz", health),
    path("readyz", readiness),
    path("v2/api_auth", SignIn.as_view()),
    path("v2/", include("tasks_app.api.urls")),
]
