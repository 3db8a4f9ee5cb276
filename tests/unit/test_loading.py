"""How a function loads its modules: no collection meanwhile, and as before afterwards, whatever happened."""

from __future__ import annotations

import gc

import pytest

from graphjobs.core.loading import without_collection


def test_modules_are_loaded_without_garbage_collection_and_left_out_of_later_ones() -> None:
    before = gc.get_freeze_count()
    with without_collection():
        assert not gc.isenabled()
        loaded = [[number] for number in range(1000)]
    assert gc.isenabled()
    assert gc.get_freeze_count() >= before + len(loaded)


def test_a_module_that_cannot_be_loaded_leaves_collection_on() -> None:
    with pytest.raises(ImportError), without_collection():
        raise ImportError
    assert gc.isenabled()
