"""Does an injected death happen once, and does the dead worker do nothing more?"""

import pytest

from categories.testing.crash_kit.fault_injection import Died, DiesOnce, FaultInjector, shorten


def test_a_worker_dies_at_its_boundary_and_at_no_other() -> None:
    death = DiesOnce(2, FaultInjector())

    death.boundary("first")
    with pytest.raises(Died):
        death.boundary("second")

    assert death.where == "second"


def test_the_dead_come_past_no_boundary_and_their_successors_past_all() -> None:
    death = DiesOnce(1, FaultInjector())
    for where in ("first", "in an except clause"):
        with pytest.raises(Died):
            death.boundary(where)

    death.replace_worker()
    death.boundary("first")

    assert death.where == "first"


def test_statements_are_shown_in_a_line_and_savepoints_without_their_names() -> None:
    assert shorten("SELECT 1\n  FROM x") == "SELECT 1 FROM x"
    assert shorten('ROLLBACK TO SAVEPOINT "s1_x2"') == "ROLLBACK TO SAVEPOINT"
    assert len(shorten("SELECT " + "x" * 100)) == 61
