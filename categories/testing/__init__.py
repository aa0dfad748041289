"""The kit for authors' tests: runs an action over rows in memory, and injects crashes.

It is for tests only: nothing in the product imports it.
"""

from categories.registry import registered
from categories.testing.crash_kit.calls import Call, Calls
from categories.testing.crash_kit.crashing import assert_survives_crashes
from categories.testing.crash_kit.sampling import Survived
from categories.testing.crash_kit.trials import Ran
from categories.testing.running import run_action

__all__ = [
    "Call",
    "Calls",
    "Ran",
    "Survived",
    "assert_survives_crashes",
    "registered",
    "run_action",
]
