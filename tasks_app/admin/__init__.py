"""The admin pages of tasks, where staff see, control and trace every task."""

from django.contrib import admin

from tasks_app.admin.effects import EffectAdmin
from tasks_app.admin.events import TaskEventAdmin
from tasks_app.admin.messages import MessageAdmin
from tasks_app.admin.tasks import TaskAdmin

__all__ = ["EffectAdmin", "MessageAdmin", "TaskAdmin", "TaskEventAdmin"]

admin.site.site_header = admin.site.site_title = "Piston Tasks"
admin.site.index_title = "Administration"
admin.site.site_url = None  # there is no other site to link to
