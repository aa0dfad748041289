"""Tests when garbage is collected."""

import gc

import pytest

from tasks_app.execution.batches import without_garbage_collection


def test_the_collector_pauses_inside_the_block_and_works_after_it() -> None:
    with without_garbage_collection():
        inside = gc.isenabled()

    assert (inside, gc.isenabled()) == (False, True)


def test_it_works_again_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), without_garbage_collection():
        raise ZeroDivisionError

    assert gc.isenabled()


def test_it_stays_off_where_it_was_off() -> None:
    gc.disable()
    try:
        with without_garbage_collection():
            pass

        assert not gc.isenabled()
    finally:
        gc.enable()
