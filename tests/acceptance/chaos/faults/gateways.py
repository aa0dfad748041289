"""What if something in front of the object storage answers in its place, or alters what it says?"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

import requests

from tests.acceptance.chaos import breakages_of_files  # noqa: F401 - adds its breakages
from tests.acceptance.chaos.faults import fault
from tests.acceptance.chaos.faults.inputs import WIDE
from tests.acceptance.chaos.faults.storages import (
    assert_none_is_final_too_early,
    assert_refused,
    link_of,
)
from tests.acceptance.chaos.scene import REDIS, open_bucket
from tests.acceptance.chaos.work import Sent, Work, make_lines
from tests.gateway import IN_ITS_PLACE, LIES, Answer, Asked, Gateway, PassOn, Rule
from tests.servers import ObjectStorage

OUTAGE_SECONDS = 7.0  # longer than a claim, and than six seconds of `404 default backend`
LIE_SECONDS = 2.5
MAX_REQUESTS = 400  # in an outage; there are four processes, and retries of a second
ROWS, PACE = 300, 0.01  # a task takes some seconds, of many slices
MANY_BLOCKS = 800  # rows, with WIDE notes
FAILING_SHARE = 0.7


@contextlib.contextmanager
def standing_in_front(work: Work, rule: Rule) -> Iterator[Gateway]:
    """Let a gateway answer to everybody for a while."""
    link = link_of(work)
    usual = link.target
    with Gateway("http://{}:{}".format(*usual), rule) as gateway:
        link.target = ("127.0.0.1", gateway.server.server_port)
        link.cut()
        try:
            yield gateway
        finally:
            link.target = usual
            link.cut()


def assert_all_run(work: Work) -> None:
    """See that no task has ended, one way or the other."""
    for sent in work.sent:
        task = work.scene.client.get(sent.task_id)
        assert task["status"] == "executing", f"it has ended: {task}"


def assert_not_sent(work: Work, sent: Sent) -> None:
    """See that a file is not there for now, which is not the same as missing."""
    client = work.scene.client
    answer = client.session.get(f"{client.tasks}/{sent.task_id}/input", timeout=60)
    said = f"a download was answered with {answer.status_code}: {answer.text[:300]}"
    assert answer.status_code == 503, said


def endure(work: Work, rule: Rule, meanwhile: Callable[[], object] = lambda: None) -> Gateway:
    """Let tasks run into somebody who answers in the storage's place; return who it was."""
    work.scene.set_pace(PACE)
    begun = work.begin("write", "spread", "each", "read", rows=ROWS)
    work.get_going(0.05, 0.1)
    with standing_in_front(work, rule) as gateway:
        until = time.monotonic() + OUTAGE_SECONDS
        assert_refused(work)
        assert_not_sent(work, begun[0])
        meanwhile()
        time.sleep(max(until - time.monotonic(), 1.0))
        assert_all_run(work)
    return gateway


def go_on(work: Work) -> None:
    """See that everything works again."""
    work.go_on()
    work.start(work.recover(lambda: work.upload("write", 100)))


@fault(
    "a gateway in front of the object storage answers 404 to everything, like an ingress without a"
    " backend",
    outcome="no file counts as missing: uploads and downloads get 503, tasks stay `executing` and"
    " go on by themselves; what is deleted meanwhile is gone in the end",
    on=(REDIS,),
    broken_by="not-found-believed",
)
def gateway_answers_not_found(work: Work) -> None:
    """Say so in one of several ways, as text, as a page, as S3 would."""
    (ended,) = work.begin("read", rows=100)
    work.end()
    work.sent.clear()
    ways = sorted(name for name in IN_ITS_PLACE if name.startswith("404"))
    rule = IN_ITS_PLACE[work.random.choice(ways)]
    endure(work, rule, lambda: work.scene.client.call("DELETE", ended.task_id))
    go_on(work)


@fault(
    "for a while the address of the object storage leads to another server, with an empty bucket of"
    " the same name",
    outcome="no file counts as missing: downloads get 503, tasks stay `executing` and go on by"
    " themselves",
    on=(REDIS,),
    broken_by="any-bucket-believed",
)
def empty_bucket_in_its_place(work: Work) -> None:
    """Let everybody reach the other server."""
    work.scene.set_pace(PACE)
    begun = work.begin("write", "spread", "each", "read", rows=ROWS)
    work.get_going(0.05, 0.1)
    link = link_of(work)
    usual = link.target
    with ObjectStorage() as other:
        open_bucket(work.scene.s3 | {"PISTON_S3_ENDPOINT_URL": other.url}).create()
        link.target = ("127.0.0.1", other.port)
        link.cut()
        try:
            time.sleep(OUTAGE_SECONDS)
            assert_not_sent(work, begun[0])
            assert_all_run(work)
        finally:
            link.target = usual
            link.cut()
    go_on(work)


@fault(
    "something in front of the object storage answers 200 to everything",
    outcome="nothing counts as stored, and nobody asks without end: uploads get 503, tasks stay"
    " `executing` and go on by themselves",
    on=(REDIS,),
    broken_by="names-looked-for",
)
def gateway_says_yes(work: Work) -> None:
    """Say so with nothing, with a page or with JSON."""
    ways = sorted(name for name in IN_ITS_PLACE if name.startswith("200"))
    gateway = endure(work, IN_ITS_PLACE[work.random.choice(ways)])
    count = len(gateway.asked)
    assert count <= MAX_REQUESTS, f"it was asked {count} times"
    go_on(work)


@fault(
    "the object storage redirects everybody to somewhere else",
    outcome="uploads get 503 and tasks wait; the log says which variables to set",
    on=(REDIS,),
    broken_by="redirections-followed",
)
def storage_redirecting(work: Work) -> None:
    """Say where to, but not in which region."""
    ways = sorted(name for name in IN_ITS_PLACE if name.startswith("30"))
    gateway = endure(work, IN_ITS_PLACE[work.random.choice(ways)])
    count = len(gateway.asked)
    assert count <= MAX_REQUESTS, f"it was asked {count} times"
    for name in ("web", "worker-1"):
        assert "PISTON_S3_REGION" in work.scene.installation.log(name), f"{name} does not say why"
    go_on(work)


@fault(
    "the credentials for the object storage have expired, for a while",
    outcome="uploads get 503; tasks stay `executing` and go on by themselves",
    on=(REDIS,),
    broken_by="outage-ends-tasks",
)
def storage_token_expired(work: Work) -> None:
    """Refuse everything as S3 does it."""
    endure(work, IN_ITS_PLACE["400 expired token"])
    go_on(work)


@fault(
    "the object storage answers most requests with 500, in bursts",
    outcome="some uploads get 503; tasks are slower, and end by themselves",
    on=(REDIS,),
    broken_by="outage-ends-tasks",
)
def storage_failing_in_bursts(work: Work) -> None:
    """Fail by chance."""

    def fail_mostly(asked: Asked, pass_on: PassOn) -> Answer:
        fails = work.random.random() < FAILING_SHARE
        return IN_ITS_PLACE["500"](asked, pass_on) if fails else pass_on(asked)

    work.scene.set_pace(PACE)
    for _ in range(2):
        work.begin("write", "spread", "read", rows=ROWS)
        work.get_going(0.05, 0.2)
        with standing_in_front(work, fail_mostly):
            time.sleep(OUTAGE_SECONDS)
            assert_none_is_final_too_early(work)
        work.go_on()


@fault(
    "a proxy in front of the object storage drops or alters ranges",
    outcome="no row is run from other bytes, and no input counts as changed: tasks wait, and go on"
    " by themselves",
    on=(REDIS,),
    broken_by="ranges-believed",
)
def ranges_altered(work: Work) -> None:
    """Lie in one way after the other."""
    work.scene.set_pace(PACE)
    for action in ("write", "read", "spread"):
        lines = make_lines(work.random, MANY_BLOCKS, {}, width=WIDE)
        work.start(work.send(action, lines))
    work.get_going(0.1, 0.3)
    lies = sorted(LIES)
    chosen = work.random.sample(lies, 3 if work.is_short else len(lies))
    with standing_in_front(work, LIES[chosen[0]]) as gateway:
        for name in chosen:
            gateway.rule = LIES[name]
            time.sleep(LIE_SECONDS)
            assert_bytes_are_right(work)
            assert_none_is_broken(work)
    work.go_on()


def assert_none_is_broken(work: Work) -> None:
    """See that tasks have at most come to their end: some of the lies are true of first bytes."""
    for sent in work.sent:
        task = work.scene.client.get(sent.task_id)
        assert task["status"] != "internal_error", f"it is broken: {task}"


def assert_bytes_are_right(work: Work) -> None:
    """Download an input: what arrives of it, if anything, is what was sent."""
    client, sent = work.scene.client, work.sent[0]
    got = b""
    with contextlib.suppress(requests.RequestException):
        answer = client.session.get(f"{client.tasks}/{sent.task_id}/input", timeout=60, stream=True)
        if answer.status_code == 200:
            for block in answer.iter_content(64 * 1024):
                got += block
        else:
            assert answer.status_code == 503, f"{answer.status_code}: {answer.text[:300]}"
    assert sent.content.startswith(got), "a download had bytes that nobody sent"
