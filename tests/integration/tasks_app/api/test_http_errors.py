from collections.abc import Iterator

import pytest

from categories import errors as categories
from piston.http import errors as table
from tasks_app import (
    errors as tasks,
)

ROOTS = (tasks.PistonError, categories.CategoryError)
MODULES = {tasks.__name__, categories.__name__}


def below(error: type[Exception]) -> Iterator[type[Exception]]:
    for child in error.__subclasses__():
        if child.__module__ in MODULES:
            yield child
        yield from below(child)


ERRORS = sorted({*below(tasks.PistonError), *below(categories.CategoryError)}, key=str)


@pytest.mark.parametrize("error", [*ERRORS, categories.CellError])
def test_every_error_has_its_answer(error: type[Exception]) -> None:
    known = [ancestor for ancestor in error.__mro__ if ancestor in table._ANSWERS]

    assert known, f"{error.__name__} is in no table"
    assert not set(known) & set(ROOTS), "an answer for all of them is none for any"


def test_the_walk_finds_the_errors() -> None:
    assert {tasks.CSVFormatError, tasks.TaskNotFound, categories.UnknownAction} <= set(ERRORS)


def test_a_fault_of_ours_shows_nothing() -> None:
    answer = table.find_answer(tasks.ClaimLost())

    assert (answer.status, answer.message) == (500, "internal_error")
