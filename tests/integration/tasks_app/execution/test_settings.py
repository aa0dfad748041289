"""What do the actions of a running task see of their category's settings, and what leaks?"""

from collections.abc import Iterator

import pytest

from categories import registry
from categories.columns import TextColumn
from categories.contract import (
    Category,
    Context,
    Effects,
    Page,
    PageAction,
    Refused,
    Row,
    RowAction,
    RowFailed,
    Setting,
    StopTask,
    Succeeded,
)
from piston import masking
from tasks_app.models import Task, TaskEvent
from tests import engine
from tests.broker import FakeBroker

SECRET = "s3cretkey"
pytestmark = pytest.mark.django_db(transaction=True)


class Lock(RowAction):
    """Open a lock."""

    how = TextColumn("How it goes.", mandatory=True)
    output = [TextColumn("place", "Where.")]
    effects = Effects.NONE

    def permitted(self, context: Context) -> None:
        if context.settings.place == "forbidden":
            raise Refused(f"{context.settings.key} is wrong")

    def process(self, row: Row, context: Context) -> Succeeded:
        match row.how:
            case "refuse":
                raise RowFailed(f"refused: {context.settings.key}")
            case "fail":
                raise ValueError(f"GET /?key={context.settings.key}")
            case "stop":
                raise StopTask(f"stopped: {context.settings.key}")
        return Succeeded(place=context.settings.place)


class Close(PageAction):
    """Close all locks."""

    output = [TextColumn("place", "Where.")]

    def page(self, cursor: object, context: Context) -> Page:
        raise StopTask(f"stopped: {context.settings.key}")


class Locks(Category):
    """Opens locks."""

    name = "trial"
    version = "1"
    actions = [Lock, Close]
    settings = {
        "key": Setting(TextColumn("The key."), secret=True),
        "place": Setting(TextColumn("Where."), default="here"),
    }


@pytest.fixture(autouse=True)
def locks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(masking, "_secrets", set())
    monkeypatch.setenv("PISTON_TRIAL_KEY", SECRET)
    with registry.registered(Locks):
        yield


def run(action: str, *lines: str, broker: FakeBroker) -> Task:
    task = engine.start(engine.submit(action, *lines))
    broker.deliver_all()
    return engine.fresh(task)


def test_an_action_reads_the_settings_of_its_category(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PISTON_TRIAL_PLACE", "there")

    task = run("lock", "how", "well", broker=broker)

    assert engine.read(task)[1] == ["well", "there", ""]


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ("refuse", "refused: ••••••"),
        ("fail", "ValueError: GET /?key=••••••"),
        ("stop", "stopped: ••••••"),
    ],
)
def test_no_error_of_a_row_has_a_secret(how: str, error: str, broker: FakeBroker) -> None:
    task = run("lock", "how", how, broker=broker)

    assert engine.read(task)[1][-1] == error
    assert SECRET not in everything_about(task)


def test_no_refusal_has_a_secret(broker: FakeBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PISTON_TRIAL_PLACE", "forbidden")

    task = run("lock", "how", "well", broker=broker)

    assert task.reason == "•••••• is wrong"


def test_no_reason_of_a_stopped_report_has_a_secret(broker: FakeBroker) -> None:
    task = run("close", broker=broker)

    assert task.reason == "stopped: ••••••"


def everything_about(task: Task) -> str:
    """Return the texts that a task's owner and staff can read."""
    events = TaskEvent.objects.filter(task_id=task.pk).values_list("detail", flat=True)
    return f"{task.reason} {list(events)} {engine.read(task)}"
