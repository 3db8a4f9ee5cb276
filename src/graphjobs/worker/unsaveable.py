"""Says which value of a graph's state cannot be saved: LangGraph's serializer only says of what class it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

MAX_PATH: Final = 8


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
            refusal = _refusal(value, serializer)
            if refusal is not None:
                name = ".".join([channel, *_path(value, serializer)]).removeprefix("__start__.")
                reason = f"{type(refusal).__name__}: {refusal}"
                raise Unsaveable(f"{name!r} cannot be saved in a checkpoint ({reason}).") from error
        raise


def _refusal(value: Any, serializer: Any) -> Exception | None:
    try:
        serializer.dumps_typed(value)
    except Exception as refusal:  # a value's own methods may raise anything
        return refusal
    return None


def _path(value: Any, serializer: Any) -> Iterator[str]:
    """The keys that lead to what is refused within `value`."""
    for _ in range(MAX_PATH):
        parts: Iterable[tuple[Any, Any]] = ()
        if isinstance(value, dict):
            parts = value.items()
        elif isinstance(value, list | tuple):
            parts = enumerate(value)
        found = next((part for part in parts if _refusal(part[1], serializer) is not None), None)
        if found is None:
            return
        key, value = found
        yield str(key)
