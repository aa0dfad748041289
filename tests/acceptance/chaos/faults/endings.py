"""What if workers die while a task ends: while it is assembled, stopped or removed?"""

from __future__ import annotations

import time

from tests.acceptance.chaos import breakages_of_files  # noqa: F401 - adds its breakages
from tests.acceptance.chaos.faults import fault
from tests.acceptance.chaos.faults.storages import assert_none_is_final_too_early
from tests.acceptance.chaos.faults.web import EVERYWHERE, begin_wide, stop
from tests.acceptance.chaos.faults.workers import kill_child
from tests.acceptance.chaos.scene import REDIS, WORKERS
from tests.acceptance.chaos.work import MAX_RECOVERY, Work

BESIDE_S3 = (REDIS, *(kind for kind in EVERYWHERE if kind != REDIS))


def restart_workers(work: Work) -> None:
    """Kill everything that works, and start it again."""
    work.scene.kill(*WORKERS)
    for name in WORKERS:
        work.scene.start(name)


@fault(
    "the workers are killed (`SIGKILL`) repeatedly while outputs are being written",
    outcome="the tasks stay `executing`; another worker writes the outputs; no partial file"
    " is left",
    on=BESIDE_S3,
    broken_by="finish-before-upload",
)
def assembler_killed(work: Work) -> None:
    """Kill them a moment after somebody has begun with an output."""
    link = work.scene.storage_link
    for _ in range(2):
        begin_wide(work)
    work.get_going(0.9, 0.98)
    if link:
        link.bytes_per_second = 4_000_000
    claims = 0
    for _ in range(3):
        work.wait_for(lambda seen=claims: count_claims(work) > seen, 2 * MAX_RECOVERY)
        claims = count_claims(work)
        time.sleep(work.random.uniform(0.0, 1.5 if link else 0.15))
        if work.is_over():
            break
        restart_workers(work)
        assert_none_is_final_too_early(work)
    if link:
        link.heal()
    work.go_on()
    work.remarks.append(f"{count_claims(work)} attempts at {len(work.sent)} outputs")


def count_claims(work: Work) -> int:
    """Return how often somebody has begun to write an output."""
    return sum(claim for *_, claim in work.standing())


@fault(
    "tasks are stopped while workers are killed (`SIGKILL`)",
    outcome="the counts in the answer are final; `out.csv` is there at once and stays the same",
    on=EVERYWHERE,
    broken_by="stop-not-guarded",
)
def stopped_amid_kills(work: Work) -> None:
    """Stop one task after the other, and kill somebody before each."""
    client = work.scene.client
    work.scene.set_pace(0.003)
    sents = work.begin("write", "each", "read", "write")
    work.get_going(0.03, 0.15)
    counts, outputs = {}, {}
    for sent in sents:
        if work.random.random() < 0.5:
            kill_child(work)
        time.sleep(work.random.uniform(0.0, 0.4))
        counts[sent.task_id] = stop(work, sent)
        outputs[sent.task_id] = client.download(sent.task_id, "out.csv")
    restart_workers(work)
    work.go_on()
    work.wait_for(work.is_over, 2 * MAX_RECOVERY)
    for task_id, then in counts.items():
        task = client.get(task_id)
        now = {name: task[name] for name in then}
        assert now == then, f"the answer to the stop said {then}, now it is {now}"
        assert client.download(task_id, "out.csv") == outputs[task_id], "out.csv has changed"


@fault(
    "tasks are deleted while the storage refuses requests and workers are killed (`SIGKILL`)",
    outcome="they disappear at once; in the end none of their rows and files is left",
    on=BESIDE_S3,
    broken_by="files-forgotten",
)
def removed_amid_kills(work: Work) -> None:
    """Delete ended tasks and one that was just stopped."""
    scene = work.scene
    removed = work.begin("write", "spread", "each", rows=500)
    work.end()
    scene.set_pace(0.003)
    removed += work.begin("read")
    work.get_going(0.5, 0.6)
    stop(work, removed[-1])
    if scene.storage_link:
        scene.storage_link.refuse()
    for sent in removed:
        scene.client.call("DELETE", sent.task_id)
        kill_child(work)
        time.sleep(work.random.uniform(0.0, 0.5))
    answers = [scene.client.session.get(f"{scene.client.tasks}/{s.task_id}") for s in removed]
    assert {answer.status_code for answer in answers} == {404}, "a deleted task is in sight"
    restart_workers(work)
    time.sleep(work.random.uniform(0.0, 3.0))
    if scene.storage_link:
        scene.storage_link.heal()
    work.sent.clear()
    work.recover(lambda: assert_gone(work, [sent.task_id for sent in removed]))
    work.begin("write")


def assert_gone(work: Work, task_ids: list[str]) -> None:
    """Raise while the database has rows of these tasks."""
    places = ", ".join(["%s"] * len(task_ids))
    for table, column in (("task", "id"), ("segment", "task_id"), ("part", "task_id")):
        question = f"SELECT count(*) FROM tasks_app_{table} WHERE {column} IN ({places})"
        count = work.scene.execute(question, *task_ids)[0][0]
        assert not count, f"{count} rows of deleted tasks are left in tasks_app_{table}"
