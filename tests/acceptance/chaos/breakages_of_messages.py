"""Which safeguards of messages, sweeps and clocks can be taken out? Added to the others."""

from __future__ import annotations

from tests.acceptance.chaos.breakages import (
    BREAKAGES,
    CLAIMS,
    SEGMENT,
    SETTINGS,
    SWEEPING,
    Breakage,
    Change,
)

CELERY = "piston/celery/application.py"
CLOCK = "tasks_app/models/clock.py"
SLICES = "tasks_app/execution/worker.py"

for breakage in (
    Breakage(
        "believed-messages",
        "a message that was sent counts as delivered, even without any answer",
        (Change(SWEEPING, " | Q(dispatched_at__lt=database_time(-SILENCE_SECONDS))", ""),),
    ),
    Breakage(
        "waits-for-broker",
        "the sender of a message waits until the broker has it",
        (
            Change(
                "tasks_app/queue/sending.py",
                "MAX_WAIT_SECONDS = 1.0",
                "MAX_WAIT_SECONDS = 600.0",
            ),
        ),
    ),
    Breakage(
        "messages-are-the-truth",
        "a worker that gets a message works on its task without a claim",
        (
            Change(
                "tasks_app/queue/dispatch.py",
                "return bool(locks.unless_locked(Task, task_id, take_note))",
                "return True",
            ),
            Change(
                SLICES,
                "    segment = claim_next(message_id)\n",
                "    segment = Segment.objects.unfinished().filter(task=message_task_id,"
                ' task__status="executing").select_related("task").first()\n',
            ),
        ),
    ),
    Breakage(
        "pickles",
        "workers accept pickled messages",
        (
            Change(CELERY, "import os\n", 'import os\n\nos.environ["C_FORCE_ROOT"] = "1"\n'),
            Change(
                SETTINGS,
                'CELERY_ACCEPT_CONTENT = ["json"]',
                'CELERY_ACCEPT_CONTENT = ["json", "pickle"]',
            ),
        ),
    ),
    Breakage(
        "torn-messages",
        "messages in a folder are read without a check",
        (Change(CELERY, "folder_broker.install()\n", ""),),
    ),
    Breakage(
        "shared-pipe",
        "the folder of messages has no event loop: the processes of a pool share one pipe",
        (Change("piston/celery/folder_broker.py", "(asynchronous=True)", "(asynchronous=False)"),),
    ),
    Breakage(
        "orphans-live-on",
        "the processes of a pool do not end with their parent",
        (
            Change(
                CELERY,
                "import os\n",
                "import os\n\nfrom celery import platforms\n\n"
                "platforms.set_pdeathsig = lambda _: None\n",
            ),
            Change(
                "piston/celery/pool_processes.py",
                "    worker_process_init.connect(end_with_parent)\n",
                "",
            ),
        ),
    ),
    Breakage(
        "web-orphans-live-on",
        "web processes do not check whether their parent is alive",
        (
            Change(
                "piston/web/loop.py",
                "    def init_process(self)",
                "    is_parent_alive = lambda self: True\n\n    def init_process(self)",
            ),
            Change("piston/web/gunicorn.py", "def post_fork(", "def unused("),
        ),
    ),
    Breakage(
        "redis-lost-once",
        "workers have kombu's own channels to Redis, which cannot be closed twice",
        (Change(CELERY, "redis_broker.install()\n", ""),),
    ),
    Breakage(
        "celerys-beat",
        "beat is Celery's own: one connection for ever, and the clock of its machine",
        (Change(SETTINGS, '"piston.celery.beat:Scheduler"', '"celery.beat:Scheduler"'),),
    ),
    Breakage(
        "jobs-for-everybody",
        "every sweeper runs each periodic job",
        (
            Change(
                "categories/periodic.py",
                "if due.select_for_update(skip_locked=True).first() is None:",
                "if not records.exists():",
            ),
        ),
    ),
    Breakage(
        "workers-clock",
        "claims expire by the worker's own clock",
        (
            Change(CLAIMS, "Now()", "timezone.now()"),
            Change(
                CLAIMS,
                "from django.db.models.functions import Now\n",
                "from django.utils import timezone\n",
            ),
            Change(SEGMENT, "Now()", "timezone.now()"),
            Change(
                SEGMENT,
                "import Coalesce, Now\n",
                "import Coalesce\nfrom django.utils import timezone\n",
            ),
            Change(CLOCK, "ExpressionWrapper(Now() +", "ExpressionWrapper(Value(timezone.now()) +"),
            Change(  # else the time of the first look would stand in the query for good
                "piston/database/compiled_queries.py",
                "if connection.vendor not in self._kept:",
                "if self._make:",
            ),
        ),
    ),
):
    BREAKAGES[breakage.name] = breakage
