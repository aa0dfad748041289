"""The WSGI application that gunicorn serves."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "piston.settings")

application = get_wsgi_application()

from piston.http.requests import Request  # noqa: E402 - needs Django's settings

application.request_class = Request
