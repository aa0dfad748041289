"""The API's URLs of tasks, and of rates. Without an account they mean the super-duper admin's own.

A trailing slash makes no difference, because a redirect would lose the body of a PUT.
"""

from django.urls import re_path

from tasks_app.api.rates import RateOfNumber
from tasks_app.api.views import AccountTasks, OneTask, SystemTasks, TaskFile, TaskRetry, TaskStop
from tasks_app.models import CSVName

ACCOUNT = "accounts/(?P<account_id>[^/]+)"
ONE_TASK = f"^(?:{ACCOUNT}/)?tasks/(?P<task_id>[^/]+)"

urlpatterns = [
    re_path(r"^tasks/?\Z", SystemTasks.as_view()),
    re_path(rf"^{ACCOUNT}/tasks/?\Z", AccountTasks.as_view()),
    re_path(rf"^(?:{ACCOUNT}/)?rates/(?P<number>[^/]+)/?\Z", RateOfNumber.as_view()),
    re_path(rf"{ONE_TASK}/?\Z", OneTask.as_view()),
    re_path(rf"{ONE_TASK}/stop/?\Z", TaskStop.as_view()),
    re_path(rf"{ONE_TASK}/retry/?\Z", TaskRetry.as_view()),
    re_path(rf"{ONE_TASK}/input/?\Z", TaskFile.as_view(csv_name=CSVName.INPUT)),
    re_path(rf"{ONE_TASK}/output/?\Z", TaskFile.as_view(csv_name=CSVName.OUTPUT)),
]
