"""What if a worker dies while a row is outside, or no answer comes? Nobody knows if it arrived."""

from __future__ import annotations

from tests.acceptance.chaos.category import CallAgain
from tests.acceptance.chaos.faults import fault
from tests.acceptance.chaos.scene import EMBEDDED, RABBITMQ, REDIS, WORKERS
from tests.acceptance.chaos.work import Sent, Work

EVERYWHERE = (RABBITMQ, REDIS, EMBEDDED)
KILLS = 3
MAX_ATTEMPTS = CallAgain.max_attempts
MAX_RETRYING = 180  # seconds, with all pauses, on a machine that is busy
SINGLE = ("cut", "late", "error", "garbage")  # after which a repetition is answered well


def kill_in_flight(work: Work, action: str) -> Sent:
    """Kill the workers while a call has arrived outside and was not answered, a few times."""
    scene = work.scene
    (sent,) = work.begin(action, rows=400)
    for _ in range(KILLS):
        work.get_going(0.02, 0.25)
        scene.world.hold()
        assert scene.world.wait_for_call(30), "no call arrived"
        scene.kill(*WORKERS)
        scene.world.let_go()
        for name in WORKERS:
            scene.start(name)
        work.go_on()
    return sent


@fault(
    "workers are killed while a row of an external action is being called",
    outcome="that row is `indeterminate` and is not repeated; every other row is called once",
    on=EVERYWHERE,
    broken_by="no-journal",
)
def killed_in_a_call(work: Work) -> None:
    """Kill in mid-call of an action that must not be repeated."""
    kill_in_flight(work, "call").indeterminate_count = KILLS


@fault(
    "workers are killed while a row of an idempotent external action is being called",
    outcome="that row alone is called again, with the same effect key",
    on=EVERYWHERE,
    broken_by="fresh-keys",
)
def killed_in_an_idempotent_call(work: Work) -> None:
    """Kill in mid-call of an action that may be repeated."""
    kill_in_flight(work, "call_again").most_repeated = KILLS


def pick(work: Work, sent: Sent, count: int) -> list[str]:
    """Return the names of some good rows of a task."""
    good = [line.name for line in sent.lines if not line.do]
    return work.random.sample(good, count)


def wait_for_calls(work: Work, sent: Sent, name: str, count: int) -> None:
    """Wait until a row has been called so often."""
    calls_of = work.scene.world.calls_of
    work.wait_for(lambda: len(calls_of(sent.task_id)[name]) >= count, MAX_RETRYING)


def send_failed_again(work: Work, sent: Sent) -> None:
    """Send failed.csv of a task again, as users do; raise when that repeats what was called."""
    scene = work.scene
    failed = scene.client.download(sent.task_id, "failed.csv")
    lines = [line for line in sent.lines if line.raw + b"\n" in failed]
    again = work.start(work.send(sent.action, lines))
    work.end()
    called = scene.world.calls_of(sent.task_id).keys() & scene.world.calls_of(again.task_id).keys()
    assert not called, f"{len(called)} rows of failed.csv had been called: {sorted(called)[:5]}"


@fault(
    "the service that is called does its work, and answers too late, with a 500, with"
    " nonsense, or not at all",
    outcome="an idempotent action calls again with the same effect key, until there is an"
    " answer; a row without one is `indeterminate`, and no row that was called is in"
    " `failed.csv`",
    on=EVERYWHERE,
    broken_by="no-answer-fails",
)
def answers_lost(work: Work) -> None:
    """Answer some rows badly; send failed.csv again."""
    world = work.scene.world
    once = work.upload("call", rows=60)
    for name, mishap in zip(pick(work, once, len(SINGLE)), SINGLE, strict=True):
        world.answer_badly(once.task_id, name, mishap)
    once.indeterminate_count = len(SINGLE)

    again = work.upload("call_again", rows=60, special={11: "patient"})
    world.answer_badly(again.task_id, again.lines[11].name, "late")
    silent, refused, twice, *others = pick(work, again, 3 + len(SINGLE))
    world.answer_badly(again.task_id, silent, *["cut"] * MAX_ATTEMPTS)
    world.answer_badly(again.task_id, refused, "cut", "refused")
    world.answer_badly(again.task_id, twice, "error", "cut")
    for name, mishap in zip(others, SINGLE, strict=True):
        world.answer_badly(again.task_id, name, mishap)
    again.indeterminate_count = len({silent, refused})
    again.most_repeated = 1 + 3 + len(SINGLE)

    for sent in (once, again):
        work.start(sent)
    work.end()
    for sent in (once, again):
        send_failed_again(work, sent)


@fault(
    "workers are killed, or stopped in an orderly way, while a row waits for its retry",
    outcome="other workers keep the back-off, the number of attempts and the effect key",
    on=EVERYWHERE,
    broken_by="attempts-uncounted",
)
def killed_in_a_pause(work: Work) -> None:
    """Kill and stop workers between the attempts of two rows."""
    scene, world = work.scene, work.scene.world
    sent = work.upload("call_again", rows=60)
    answered, silent = sorted(pick(work, sent, 2))
    world.answer_badly(sent.task_id, answered, *["cut"] * (MAX_ATTEMPTS - 1))
    world.answer_badly(sent.task_id, silent, *["cut"] * 2 * MAX_ATTEMPTS)
    sent.indeterminate_count = 1
    sent.most_repeated = 2
    work.start(sent)
    for name, attempts, end in (
        (answered, 1, scene.kill),
        (answered, MAX_ATTEMPTS - 2, scene.stop),
        (silent, 2, scene.stop),
        (silent, MAX_ATTEMPTS - 2, scene.kill),
    ):
        wait_for_calls(work, sent, name, attempts)
        end(*WORKERS)
        for worker in WORKERS:
            scene.start(worker)
    work.end()
    for name in (answered, silent):
        count = len(world.calls_of(sent.task_id)[name])
        assert count <= MAX_ATTEMPTS, f"{name} was called {count} times"


@fault(
    "a task is stopped while a row waits for its retry",
    outcome="it is stopped at once; the row is `indeterminate`, the rows behind it are unprocessed",
    on=EVERYWHERE,
    broken_by="sent-left-open",
)
def stopped_in_a_pause(work: Work) -> None:
    """Stop a task in the middle of a long pause."""
    scene, world = work.scene, work.scene.world
    sent = work.upload("call_again", rows=60)
    (silent,) = pick(work, sent, 1)
    world.answer_badly(sent.task_id, silent, *["cut"] * MAX_ATTEMPTS)
    sent.indeterminate_count = sent.most_repeated = 1
    work.start(sent)
    wait_for_calls(work, sent, silent, MAX_ATTEMPTS - 1)
    held = "SELECT 1 FROM tasks_app_segment WHERE task_id = %s AND claimed_until IS NOT NULL"
    work.wait_for(lambda: not scene.execute(held, sent.task_id), MAX_RETRYING)
    sent.is_stopped = True
    scene.client.call("PATCH", f"{sent.task_id}/stop")
