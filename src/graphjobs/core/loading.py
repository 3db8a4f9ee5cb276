"""How a function loads its modules."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collection() -> Iterator[None]:
    """No garbage collection meanwhile: loading modules makes many objects and no garbage.

    What was loaded is then left out of later collections too. That is a sixth of the worker's cold start, and keeps
    pages shared that a snapshot or a fork shares.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
