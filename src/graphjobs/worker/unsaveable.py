"""Says which value of a graph's state cannot be saved: LangGraph's serializer only says of what class it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any


class Unsaveable(TypeError):
    """A value that no checkpoint can hold."""


@contextmanager
def naming(values: Iterable[tuple[str, Any]], serializer: Any) -> Iterator[None]:
    """Name the first of `values`, channel and value each, that `serializer` refuses, if saving them fails so.

    Raises:
        Unsaveable: in place of what the serializer raised.
    """
    try:
        yield
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        for channel, value in values:
            try:
                serializer.dumps_typed(value)
            except Exception as refusal:  # a value's own methods may raise anything
                reason = f"{type(refusal).__name__}: {refusal}"
                raise Unsaveable(f"{channel!r} cannot be saved in a checkpoint ({reason}).") from error
        raise
