"""The Celery application: how messages travel. What they mean stands in `tasks_app/tasks.py`."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "piston.settings")

app = Celery("piston")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
