"""Which faults are there? A module per kind of thing that breaks; importing it registers them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.acceptance.chaos.work import Work

Inject = Callable[[Work], None]


@dataclass(frozen=True)
class Fault:
    """Something that breaks while tasks run.

    `inject` begins the work, breaks something, heals it and says when rows have to go on; then
    the harness waits for the end of all tasks and reconciles them.
    """

    name: str  # as it is typed
    what: str  # for the table: what happens
    outcome: str  # for the table: what users see
    inject: Inject
    on: tuple[str, ...]  # kinds of scenes; a short run takes the first
    broken_by: str  # a breakage that the harness has to notice with this fault


FAULTS: list[Fault] = []
SHORT = frozenset(  # of a short run, within ten minutes: one of each kind
    {
        *("broker-emptied", "redis-flushed", "database-killed", "commit-replies-lost"),
        *("cut-off-from-database", "cut-off-from-broker", "batches-late", "worker-frozen"),
        *("web-killed-in-mid-upload", "web-killed-in-mid-download", "disk-full-at-assembly"),
        *("storage-refusing-at-assembly", "assembler-killed", "workers-replaced"),
        *("two-hundred-kills", "killed-in-a-call", "killed-in-an-idempotent-call"),
        *("row-segfaults", "stopped-amid-kills", "whole-pool-killed", "supervisor-killed"),
        *("answers-lost", "data-disk-filled", "input-edited-ahead", "all-places-wanted"),
        *("task-row-locked", "table-locked", "database-clock-put-back", "pooled-by-session"),
        *("permissions-missing", "two-installations"),
        *("table-missing", "ledger-altered", "database-killed-in-one-row"),
        *("gateway-answers-not-found", "ranges-altered", "broken-tasks-retried"),
    }
)


def fault(
    what: str, *, outcome: str, on: tuple[str, ...], broken_by: str
) -> Callable[[Inject], Inject]:
    """Register a function as a fault; its name is what is typed."""

    def register(inject: Inject) -> Inject:
        name = inject.__name__.replace("_", "-")
        FAULTS.append(Fault(name, what, outcome, inject, on, broken_by))
        return inject

    return register
