"""Does a process end at its start, with a sentence, after an upgrade changed what we rely on?"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import cached_property
from importlib import import_module
from typing import Any

import celery
import pytest
from billiard.process import BaseProcess
from celery import beat
from celery.app import amqp
from celery.worker import consumer, strategy
from django.contrib.admin.views.main import ChangeList
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.postgresql.base import DatabaseWrapper as PostgreSQL
from django.db.backends.sqlite3.base import DatabaseWrapper as SQLite
from django.db.backends.utils import CursorWrapper
from django.db.models.sql.compiler import SQLCompiler
from django.http import HttpRequest
from gunicorn import util
from gunicorn.http.body import LengthReader
from gunicorn.http.wsgi import Response
from gunicorn.workers.gthread import TConn, ThreadWorker
from kombu.transport import filesystem, redis
from storages.backends.s3 import S3Storage

from piston.relied_on import SET_IN_INIT, rely_on
from tests.acceptance.installation import ROOT

# for each module: a member that it relies on, and the member's name in the sentence
MEMBERS = {
    "piston.web.loop": (ThreadWorker, "enqueue_req", "ThreadWorker.enqueue_req(self, conn)"),
    "piston.web.worker": (ThreadWorker, "handle", "ThreadWorker.handle(self, conn)"),
    "piston.web.connections": (TConn, "init", "TConn.init(self)"),
    "piston.web.bodies": (LengthReader, "read", "LengthReader.read(self, size)"),
    "piston.web.serving": (Response, "force_close", "Response.force_close(self)"),
    "piston.web.refusals": (
        util,
        "write_error",
        "gunicorn.util.write_error(sock, status_int, reason, mesg)",
    ),
    "piston.http.requests": (
        HttpRequest,
        "_set_content_type_params",
        "WSGIRequest._set_content_type_params(self, meta)",
    ),
    "piston.celery.application": (celery.Celery, "_load_config", "Celery._load_config(self)"),
    "piston.celery.beat": (
        beat.Scheduler,
        "apply_entry",
        "Scheduler.apply_entry(self, entry, producer=None)",
    ),
    "piston.celery.consumer": (consumer.Consumer, "connect", "Consumer.connect(self)"),
    "piston.celery.folder_broker": (
        filesystem.Channel,
        "_exchange_file",
        "Channel._exchange_file(self, exchange)",
    ),
    "piston.celery.redis_broker": (
        redis.Channel,
        "_connparams",
        "Channel._connparams(self, asynchronous=False)",
    ),
    "piston.celery.foreign_messages": (
        strategy,
        "default",
        "celery.worker.strategy.default(task, app, consumer, ...)",
    ),
    "piston.celery.queues": (
        amqp.AMQP,
        "as_task_v2",
        "AMQP.as_task_v2(self, task_id, name, args=None, kwargs=None, ...)",
    ),
    "piston.celery.pool_processes": (BaseProcess, "__init__", "BaseProcess._parent_pid"),
    "piston.database.compiled_queries": (
        SQLCompiler,
        "as_sql",
        "SQLCompiler.as_sql(self, with_limits=True, with_col_aliases=False)",
    ),
    "piston.database.postgresql.base": (
        PostgreSQL,
        "_configure_connection",
        "DatabaseWrapper._configure_connection(self, connection)",
    ),
    "piston.database.sqlite.base": (
        SQLite,
        "_start_transaction_under_autocommit",
        "DatabaseWrapper._start_transaction_under_autocommit(self)",
    ),
    "piston.database.swallowed_errors": (
        BaseDatabaseWrapper,
        "__init__",
        "BaseDatabaseWrapper.closed_in_transaction",
    ),
    "piston.storages.s3": (S3Storage, "_create_session", "S3Storage._create_session(self)"),
    "piston.accounts.admin": (ChangeList, "get_results", "ChangeList.get_results(self, request)"),
    "piston.admin.capped_list": (
        ChangeList,
        "get_results",
        "ChangeList.get_results(self, request)",
    ),
    "categories.database.bulk": (
        CursorWrapper,
        "_execute_with_wrappers",
        "CursorWrapper._execute_with_wrappers(self, sql, params, many, executor)",
    ),
    "categories.database.copy_out": (
        CursorWrapper,
        "_execute_with_wrappers",
        "CursorWrapper._execute_with_wrappers(self, sql, params, many, executor)",
    ),
}
each_module = pytest.mark.parametrize(
    ("module", "owner", "member", "called"),
    [(module, *member) for module, member in MEMBERS.items()],
    ids=MEMBERS.keys(),
)


def load_again(module: str) -> None:
    """Execute a module as an import does, without replacing the module that is imported."""
    file = ROOT / f"{module.replace('.', '/')}.py"
    exec(compile(file.read_text(), file, "exec"), {"__name__": module})


def otherwise(self: Any, more: Any, than: Any, expected: Any, by: Any, anybody: Any) -> None:
    """Stands for a member after an upgrade."""


@each_module
def test_a_member_that_is_gone_is_named(
    module: str, owner: Any, member: str, called: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(owner, member)

    with pytest.raises(SystemExit) as ending:
        load_again(module)

    sentence = str(ending.value)
    assert f": {called} is no longer there, and {module.replace('.', '/')}.py" in sentence


@each_module
def test_a_member_with_other_parameters_is_named(
    module: str, owner: Any, member: str, called: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, member, otherwise)

    with pytest.raises(SystemExit) as ending:
        load_again(module)

    assert f": {called.partition('(')[0]} " in str(ending.value)


def test_each_module_that_relies_on_something_is_among_them() -> None:
    relying = {
        str(file.relative_to(ROOT)).removesuffix(".py").replace("/", ".")
        for folder in ("piston", "categories", "tasks_app")
        for file in (ROOT / folder).rglob("*.py")
        if "\nrely_on(" in file.read_text()
    }

    assert relying == set(MEMBERS)


@pytest.mark.parametrize("module", MEMBERS)
def test_the_pinned_versions_have_all_of_them(module: str) -> None:
    import_module(module)


def start(command: str) -> Callable[[], subprocess.CompletedProcess[str]]:
    run = [sys.executable, "-W", "ignore", "-c", command]
    return lambda: subprocess.run(
        run, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


WITHOUT = "import sys, runpy; from celery import Celery; del Celery._load_config; sys.argv[1:] = "
PROCESSES = {
    "web": start(
        f"{WITHOUT}['--config', 'piston/web/gunicorn.py', 'piston.wsgi'];"
        "from gunicorn.app.wsgiapp import run; run()"
    ),
    "worker": start(
        f"{WITHOUT}['--app', 'piston', 'worker']; from celery.__main__ import main; main()"
    ),
    "beat": start(
        f"{WITHOUT}['--app', 'piston', 'beat']; from celery.__main__ import main; main()"
    ),
    "command": start(f"{WITHOUT}['check']; runpy.run_path('manage.py', run_name='__main__')"),
}


@pytest.mark.parametrize("process", PROCESSES.values(), ids=PROCESSES.keys())
def test_a_process_ends_with_the_sentence_alone(
    process: Callable[[], subprocess.CompletedProcess[str]],
) -> None:
    ended = process()

    assert ended.returncode == 1
    assert ended.stderr == (
        f"celery {celery.__version__}: Celery._load_config(self) is no longer there, and"
        " piston/celery/application.py relies on it."
        " Install the versions that requirements.txt names (make setup).\n"
    )


# ---- What counts as the same ---------------------------------------------------------------------


class Library:
    """A class of some library."""

    kind = "text"

    def __init__(self) -> None:
        self.given = 1

    def plain(self, first, second=2, *rest, only=None):
        """Have parameters of all kinds."""

    def annotated(self, first: int, second: str | None = None) -> bool:
        """Have annotations, which do not count."""
        return True

    @cached_property
    def kept(self) -> int:
        return 1


class Heir(Library):
    """A class whose `__init__` is its base's."""


@pytest.mark.parametrize(
    "members",
    [
        {"plain": "self, first, second=2, *rest, only=None"},
        {"plain": "self, first, ..."},
        {"annotated": "self, first, second=None"},
        {"kind": str},
        {"kind": object},
        {"kept": cached_property},
        {"given": SET_IN_INIT},
    ],
)
@pytest.mark.parametrize("owner", [Library, Heir])
def test_what_is_as_expected_passes(owner: type, members: dict[str, Any]) -> None:
    rely_on(__name__, owner, **members)


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ({"gone": "self"}, "Library.gone(self) is no longer there"),
        ({"gone": str}, "Library.gone is no longer there"),
        ({"gone": SET_IN_INIT}, "Library.gone is no longer there"),
        ({"kind": int}, "Library.kind is no longer of the type int"),
        ({"kind": "self"}, "Library.kind(self) is no longer a function"),
        ({"plain": "self, first"}, "Library.plain now has (self, first, second=2, *rest"),
        ({"plain": "self, first, second=3, *rest, only=None"}, "Library.plain now has"),
        ({"plain": "self, first, second=2, *rest, other=None"}, "Library.plain now has"),
        ({"annotated": "self, ..."}, "Library.annotated now has"),  # `first` is needed
    ],
)
def test_what_is_not_as_expected_ends_the_process(members: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SystemExit) as ending:
        rely_on("piston.celery.beat", Library, **members)

    assert sentence in str(ending.value)
    assert str(ending.value).endswith(
        ", and piston/celery/beat.py relies on it."
        " Install the versions that requirements.txt names (make setup)."
    )
