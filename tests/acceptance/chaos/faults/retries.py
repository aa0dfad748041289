"""What if a task that something outside of its rows has broken is retried, while workers die?"""

from __future__ import annotations

import time

from tests.acceptance.chaos import breakages_of_files  # noqa: F401 - adds its breakages
from tests.acceptance.chaos.faults import fault
from tests.acceptance.chaos.faults.endings import restart_workers
from tests.acceptance.chaos.faults.inputs import MAX_SECONDS, StoredInput
from tests.acceptance.chaos.faults.web import EVERYWHERE
from tests.acceptance.chaos.faults.workers import kill_child
from tests.acceptance.chaos.work import MAX_RECOVERY, Sent, Work

SHARES = ((0.03, 0.08), (0.12, 0.2))  # of all rows, before the inputs go; no task is at its end
FORGET_REPLACED = (
    "UPDATE tasks_app_taskcsv SET kept_until = CURRENT_TIMESTAMP"
    " WHERE task_id IS NULL AND is_given_up = {true}"
)


@fault(
    "inputs are away until their tasks have ended `internal_error`, and come back; the tasks are"
    " retried amid kills of workers (`SIGKILL`), twice",
    outcome="each goes on at the next row, under its id: no row is lost or done twice",
    on=EVERYWHERE,
    broken_by="parts-go-with-the-end",
)
def broken_tasks_retried(work: Work) -> None:
    """Take the inputs away, see the end, put them back, retry, kill."""
    work.scene.set_pace(0.01)
    work.begin("read", rows=10)  # its files stay: otherwise the bucket might be another one
    sents = work.begin("write", "spread", "read", rows=400)
    sents += work.begin("call_again", rows=200)
    sents[-1].most_repeated = 20
    for low, high in SHARES:
        work.get_going(low, high)
        begun = [sent for sent in sents if is_far_from_its_end(work, sent)]
        break_all(work, begun)
        for sent in begun:
            retry(work, sent)
            kill_child(work)
        time.sleep(work.random.uniform(0.0, 1.0))
        restart_workers(work)
        work.all_go_on(within=2 * MAX_RECOVERY)
    assert sum(sent.retry_count for sent in sents) >= len(sents), "too few were retried"
    work.end()
    true = "true" if work.scene.database_url else "1"
    work.scene.execute(FORGET_REPLACED.format(true=true))  # an hour later


def is_far_from_its_end(work: Work, sent: Sent) -> bool:
    """Say whether a task cannot come to its end before its input goes."""
    task = work.scene.client.get(sent.task_id)
    return task["success_count"] + task["failure_count"] < len(sent.lines) / 2


def break_all(work: Work, sents: list[Sent]) -> None:
    """Let the inputs of all tasks be away until each has ended because of it."""
    away = [(stored, stored.take_away()) for stored in (StoredInput(work.scene, s) for s in sents)]
    ids = [sent.task_id for sent in sents]
    work.wait_for(lambda: all(row[2] for row in work.standing() if row[0] in ids), MAX_SECONDS)
    for stored, content in away:
        stored.put_back(content)


def retry(work: Work, sent: Sent) -> None:
    """See that a task is broken and has its output, and retry it."""
    client = work.scene.client
    task = client.get(sent.task_id)
    assert task["status"] == "internal_error", f"it ended as {task}"
    assert "out.csv" in task["csvs"], f"it has no output: {task}"
    client.call("PATCH", f"{sent.task_id}/retry")
    sent.retry_count += 1
