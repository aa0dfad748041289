"""Which safeguards of supervision and deploys can be taken out? Added to the other breakages."""

from __future__ import annotations

from tests.acceptance.chaos.breakages import BREAKAGES, Breakage, Change

for breakage in (
    Breakage(
        "members-outlive-supervisor",
        "web, worker and beat are not notified of their supervisor's end",
        (
            Change(
                "piston/processes/supervision.py",
                "        orphans.end_with_parent(int(supervisor))\n",
                "",
            ),
        ),
    ),
    Breakage(
        "ends-what-does-not-fit",
        "a worker claims tasks of any version, and ends those that it cannot do",
        (
            Change("tasks_app/execution/scheduling.py", "        .of_kinds(offered)\n", ""),
            Change(
                "tasks_app/execution/worker.py",
                "    except CategoryError:\n        return None\n",
                "    except CategoryError as problem:\n"
                "        segment.end_work(Ending.REFUSED, str(problem))\n"
                "        return None\n",
            ),
        ),
    ),
):
    BREAKAGES[breakage.name] = breakage
