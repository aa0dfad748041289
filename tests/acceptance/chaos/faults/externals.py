"""What if a worker dies while a row is outside, and nobody knows whether it arrived?"""

from __future__ import annotations

from tests.acceptance.chaos.faults import fault
from tests.acceptance.chaos.scene import EMBEDDED, RABBITMQ, REDIS, WORKERS
from tests.acceptance.chaos.work import Sent, Work

EVERYWHERE = (RABBITMQ, REDIS, EMBEDDED)
KILLS = 3


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
    "workers are killed while a row of an external action is outside",
    outcome="that row is `indeterminate` and is not repeated; every other is called once",
    on=EVERYWHERE,
    broken_by="no-journal",
)
def killed_in_a_call(work: Work) -> None:
    """Kill in mid-call of an action that must not be repeated."""
    kill_in_flight(work, "call").indeterminate_count = KILLS


@fault(
    "workers are killed while a row of an idempotent external action is outside",
    outcome="that row alone is called again, with the same effect key",
    on=EVERYWHERE,
    broken_by="fresh-keys",
)
def killed_in_an_idempotent_call(work: Work) -> None:
    """Kill in mid-call of an action that may be repeated."""
    kill_in_flight(work, "call_again").most_repeated = KILLS
