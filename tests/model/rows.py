"""The rows of the tables in memory, read without a call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from tests.support.tables import Item, MemoryTables

T = TypeVar("T")


class Rows(Generic[T]):
    """The rows of one kind, each parsed only once, since an item never changes."""

    def __init__(self, tables: MemoryTables, prefix: str, parse: Callable[[dict[str, Any]], T]) -> None:
        self._tables = tables
        self._prefix = prefix
        self._parse = parse
        self._parsed: dict[str, tuple[Item, T]] = {}
        self._all: tuple[int, list[T]] = -1, []

    def all(self) -> list[T]:
        """As they are now."""
        if self._all[0] != self._tables.writes:
            rows = (row for row in self._tables.all("jobs") if row["pk"]["S"].startswith(self._prefix))
            self._all = self._tables.writes, [self._row(row) for row in rows]
        return self._all[1].copy()

    def get(self, key: str) -> T | None:
        """One of them, if it is there."""
        row = self._tables.items["jobs"].get(self._prefix + key, {}).get(None)
        return self._row(row) if row else None

    def _row(self, row: Item) -> T:
        key = row["pk"]["S"]
        if key not in self._parsed or self._parsed[key][0] is not row:
            self._parsed[key] = row, self._parse(dict(row))
        return self._parsed[key][1]
