"""What if the database dies, loses connections, or nobody knows whether it has committed?"""

from __future__ import annotations

import time
from collections.abc import Callable
from random import Random

from tests.acceptance.chaos.faults import fault
from tests.acceptance.chaos.links import Link
from tests.acceptance.chaos.scene import CLAIM_SECONDS, RABBITMQ, REDIS, USUAL_PACE, WORKERS
from tests.acceptance.chaos.work import Sent, Work, make_lines
from tests.servers import wait_until

ON_SERVERS = (RABBITMQ, REDIS)
EVERYTHING = ("write", "spread", "each", "read")
TERMINATE = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
Lose = Callable[[Link, Random, float], None]


def put_behind_link(work: Work, *names: str) -> Link:
    """Start processes anew, so that they reach the database over a link; return it."""
    link = work.scene.link_to_database()
    work.scene.kill(*names)
    for name in names:
        work.scene.start(name, DATABASE_URL=link.url)
    return link


@fault(
    "PostgreSQL is killed (`SIGKILL`), twice, and started again on its data",
    outcome="tasks stay `executing` and requests get 503; rows continue at the last commit",
    on=ON_SERVERS,
    broken_by="cursor-apart",
)
def database_killed(work: Work) -> None:
    """Kill the server, leave it away for a while."""
    work.begin(*EVERYTHING)
    work.begin_pages()
    for _ in range(2):
        work.get_going()
        work.scene.servers.postgresql.kill9()
        time.sleep(work.random.uniform(0, 3))
        work.scene.servers.postgresql.restart()
        work.go_on()


@fault(
    "PostgreSQL is restarted in an orderly way (`fast`)",
    outcome="open batches are rolled back and run again; users see nothing else",
    on=ON_SERVERS,
    broken_by="cursor-apart",
)
def database_restarted(work: Work) -> None:
    """Restart the server as for an update."""
    work.begin(*EVERYTHING)
    work.begin_pages()
    work.get_going()
    work.scene.servers.postgresql.restart()
    work.go_on()


@fault(
    "all connections to the database are cut: reset in the network, or terminated by the server",
    outcome="open batches are rolled back and run again; users see nothing else",
    on=ON_SERVERS,
    broken_by="cursor-apart",
)
def connections_cut(work: Work) -> None:
    """Cut everything, several times."""
    link = put_behind_link(work, *WORKERS)
    work.begin(*EVERYTHING)
    work.begin_pages()
    for _ in range(3):
        work.get_going(0.05, 0.5)
        link.cut()
        work.go_on()
        time.sleep(work.random.uniform(0, 1))
        work.scene.execute(TERMINATE)
        work.go_on()


def doubt_commits(work: Work, lose: Lose, *, share: float) -> Link:
    """Let a share of the workers' commits fail in some way, for a while all of them."""
    link = put_behind_link(work, *WORKERS)
    work.begin(*EVERYTHING, rows=1_000)
    work.begin_pages()
    lose(link, work.random, share)
    work.get_going()
    lose(link, work.random, 1.0)
    time.sleep(work.random.uniform(0.5, 1.5) * CLAIM_SECONDS)
    lose(link, work.random, share)
    work.go_on()
    work.end()
    return link


@fault(
    "commits succeed, but their replies are lost: half of them, for a while all",
    outcome="tasks are slower: the next worker reads in the ledger what was committed",
    on=ON_SERVERS,
    broken_by="no-ledger-reading",
)
def commit_replies_lost(work: Work) -> None:
    """Lose replies to commits through whole tasks, their assembly included."""
    link = doubt_commits(work, Link.lose_replies_to_commits, share=0.5)
    assert link.lost_replies > 10, f"only {link.lost_replies} replies to commits were lost"
    work.remarks.append(f"{link.lost_replies} replies to commits were lost")


@fault(
    "commits are lost on their way to the database: a third of them, for a while all",
    outcome="tasks are slower: lost batches are run again",
    on=ON_SERVERS,
    broken_by="commits-trusted",
)
def commits_lost(work: Work) -> None:
    """Lose commits through whole tasks, their assembly included."""
    link = doubt_commits(work, Link.lose_commits, share=0.3)
    assert link.lost_commits > 10, f"only {link.lost_commits} commits were lost"
    work.remarks.append(f"{link.lost_commits} commits were lost")


@fault(
    "commits of external actions are lost, or their replies, before and after calls",
    outcome="a call whose outcome could not be committed is `indeterminate` and never"
    " repeated; idempotent actions repeat it with the same key",
    on=ON_SERVERS,
    broken_by="journal-after-call",
)
def calls_in_doubt(work: Work) -> None:
    """Lose a share of commits, then of replies, around calls."""
    link = put_behind_link(work, *WORKERS)
    call, call_again = work.begin("call", "call_again", rows=60)
    link.lose_commits(work.random, 0.2)
    work.get_going(0.4, 0.6)
    link.heal()
    link.lose_replies_to_commits(work.random, 0.2)
    work.get_going(0.8, 0.9)
    link.heal()
    work.go_on()
    work.end()
    lost_count = link.lost_commits + link.lost_replies
    assert link.lost_commits, "no commit was lost"
    assert link.lost_replies, "no reply was lost"
    for sent in (call, call_again):  # idempotent: rows that the action refuses when it is repeated
        sent.indeterminate_count = work.scene.execute(
            "SELECT indeterminate_count FROM tasks_app_task WHERE id = %s", sent.task_id
        )[0][0]
    in_doubt = call.indeterminate_count + call_again.indeterminate_count
    assert in_doubt <= lost_count, f"{in_doubt} indeterminate rows after {lost_count} losses"
    call_again.most_repeated = lost_count
    work.remarks.append(
        f"{link.lost_commits} commits and {link.lost_replies} replies were lost;"
        f" {in_doubt} rows are indeterminate"
    )


@fault(
    "commits of uploads, starts and stops are lost, or their replies",
    outcome="the client gets 503; a look at the task then says whether it exists and was started",
    on=ON_SERVERS,
    broken_by="errors-hidden",
)
def requests_in_doubt(work: Work) -> None:
    """Lose half of what the web process commits; ask afterwards what became of it."""
    link = put_behind_link(work, "web")
    wait_until(work.scene.installation.answers, seconds=60)
    work.scene.set_pace(0.02)  # none is to end before it can be stopped
    refused = 0
    for lose in (Link.lose_commits, Link.lose_replies_to_commits):
        lose(link, work.random, 0.5)
        refused += sum(not begin_in_doubt(work, f"{lose.__name__}-{n}.csv") for n in range(8))
        for sent in [each for each in work.sent if not each.is_stopped][::3]:
            refused += not ask(work, sent, "/stop", {"executing", "stopped"}, "stopped")
            sent.is_stopped = work.scene.client.get(sent.task_id)["status"] == "stopped"
        link.heal()
    assert refused, "every request went well"
    work.remarks.append(
        f"{link.lost_commits} commits and {link.lost_replies} replies of web were lost;"
        f" {refused} requests were answered 503"
    )
    work.scene.set_pace(USUAL_PACE)
    work.go_on()


def begin_in_doubt(work: Work, file_name: str) -> bool:
    """Upload and start a task; ask again whenever it is not certain; was it certain at once?"""
    client = work.scene.client
    lines = make_lines(work.random, 2_000, {})
    content = b"name,note,do\n" + b"".join(line.raw + b"\n" for line in lines)
    answer = client.session.put(
        client.tasks,
        params={"category": "chaos", "action": "write", "file_name": file_name},
        data=content,
        headers={"Content-Type": "text/csv"},
        timeout=60,
    )
    assert answer.status_code in {201, 503}, answer.text
    listed = client.session.get(client.tasks, params={"page_size": 1000}, timeout=60).json()["data"]
    made = [task["id"] for task in listed if task.get("file_name") == file_name]
    assert len(made) <= 1, f"one upload made {len(made)} tasks"
    assert made or answer.status_code == 503, f"a task was promised and is not there: {answer.text}"
    if not made:
        return False
    sent = Sent("write", content, lines, made[0])
    work.sent.append(sent)
    was_certain = answer.status_code == 201
    while client.get(sent.task_id)["status"] == "pending":
        was_certain &= ask(work, sent, "", {"pending", "executing"}, "executing")
    return was_certain


def ask(work: Work, sent: Sent, what: str, possible: set[str], promised: str) -> bool:
    """Start or stop a task; was it promised? Then it has to be so."""
    client = work.scene.client
    answer = client.session.patch(f"{client.tasks}/{sent.task_id}{what}", timeout=60)
    status = client.get(sent.task_id)["status"]
    assert answer.status_code in {200, 503}, answer.text
    if answer.status_code == 200:
        assert status == promised, f"{promised} was promised, but it is {status}"
    assert status in possible, f"it is {status} after {what or '/start'} in doubt"
    return answer.status_code == 200
