"""The Celery application, which transports messages; `tasks_app/tasks.py` says what they do."""

import os
import sys
from typing import Any

from celery import Celery
from celery.signals import beat_init, celeryd_init, setup_logging
from django.core.exceptions import ImproperlyConfigured

from piston.celery import folder_broker, foreign_messages, pool_processes, queues, redis_broker
from piston.database import schema
from piston.installation import identity
from piston.processes import supervision
from piston.relied_on import rely_on

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "piston.settings")


rely_on(
    __name__,
    Celery,
    amqp_cls=str,
    send_task="self, name, args=None, kwargs=None, ...",
    _load_config="self",
)


class Application(Celery):  # type: ignore[misc]  # Celery has no types
    """Celery's application, which reports wrong settings in a sentence, without a traceback."""

    amqp_cls = queues.AMQP

    def send_task(self, name: str, *arguments: Any, **options: Any) -> Any:
        """Send a message, with the id of the installation that it belongs to."""
        headers = (options.pop("headers", None) or {}) | {queues.OWNER: identity.identify()}
        return super().send_task(name, *arguments, headers=headers, **options)

    def _load_config(self) -> Any:
        """Read the settings; Celery does so when its command line first needs one."""
        try:
            return super()._load_config()
        except ImproperlyConfigured as error:
            sys.exit(str(error))


folder_broker.install()
redis_broker.install()
pool_processes.install()
celeryd_init.connect(supervision.end_with_supervisor)
beat_init.connect(supervision.end_with_supervisor)
celeryd_init.connect(schema.say_at_start)
beat_init.connect(schema.say_at_start)
celeryd_init.connect(identity.wait_until_known)
beat_init.connect(identity.wait_until_known)
app = Application("piston", task_cls=foreign_messages.Message)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect  # type: ignore[untyped-decorator]
def keep_logging(**_: Any) -> None:
    """Keep `settings.LOGGING`: Celery sets up no logging if this signal has a receiver."""
