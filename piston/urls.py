"""The routes of all URLs."""

from django.contrib import admin
from django.urls import include, path

from piston.http.readiness import health, readiness
from piston.http.sign_in import SignIn

urlpatterns = [
    path("admin/", admin.site.urls),
    path("healthz", health),
    path("readyz", readiness),
    path("v2/api_auth", SignIn.as_view()),
    path("v2/", include("tasks_app.api.urls")),
]
