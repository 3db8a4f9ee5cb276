"""How a value is shared between items: in few parts, written a few times, and never read for what it is not."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from graphjobs.aws.checkpoint_table import Item
from graphjobs.worker.checkpoint_layout import Stored, lay_out, read_out
from graphjobs.worker.snapshot import Snapshot, Value

SERDE = JsonPlusSerializer()
STEP = 2_000


class Table:
    """Checkpoints of one namespace, each the next one's parent, their ids in the order of time."""

    def __init__(self) -> None:
        self.items: dict[str, Item] = {}
        self.newest: Stored | None = None
        self.count = 0

    def put(self, values: dict[str, Any], *, key: str | None = None) -> Stored:
        self.count += 1
        before = self.newest.snapshot if self.newest else None
        typed = {name: Value(self.count, SERDE.dumps_typed(value)) for name, value in values.items()}
        for name, value in typed.items():
            known = before.values.get(name) if before else None
            typed[name] = known if known and known.typed == value.typed else value
        head = SERDE.dumps_typed({"checkpoint": {"id": self._id, "channel_versions": {}}, "metadata": {}})
        snapshot = Snapshot("", self._id, before.checkpoint_id if before else None, head, typed, False, None)
        item, self.newest = lay_out(snapshot, key or f"#{self._id}", self.newest)
        self.items[item.key] = item
        return self.newest

    @property
    def _id(self) -> str:
        return f"{self.count:06}"

    def read(self, *keys: str) -> dict[str, Stored]:
        """What a process finds that has only these items and those that they need."""
        wanted = [self.items[key] for key in keys]
        needed = {key for item in wanted for key in item.needs}
        return read_out(SERDE, [*wanted, *(self.items[key] for key in needed if key in self.items)], keys)

    def resume(self, stored: Stored) -> None:
        """Go on as another process, which knows only what it reads."""
        self.newest = self.read(stored.key)[stored.key]


def values_of(stored: Stored) -> dict[str, Any]:
    return {name: SERDE.loads_typed(value.typed) for name, value in stored.snapshot.values.items()}


def test_a_value_that_grows_is_in_few_parts_each_larger_than_the_next() -> None:
    table, log = Table(), []
    for number in range(1, 300):
        log.append(chr(97 + number % 26) * STEP)
        parts = table.put({"log": log}).places["log"].parts
        assert len(parts) <= math.log2(number) + 1
        assert all(part.size > following.size for part, following in pairwise(parts))
    written = sum(len(item.body) for item in table.items.values())
    assert written < (math.log2(300) / 2 + 2) * 300 * STEP


edits = st.one_of(
    st.tuples(st.just("grow"), st.integers(1, 4)),
    st.tuples(st.just("shrink"), st.integers(1, 12)),
    st.tuples(st.just("change"), st.integers(0, 40)),
    st.tuples(st.just("same"), st.just(0)),
    st.tuples(st.just("resume"), st.just(0)),
)


@given(st.lists(edits, min_size=1, max_size=40))
def test_whatever_becomes_of_a_value_each_checkpoint_reads_as_it_was(steps: list[tuple[str, int]]) -> None:
    table = Table()
    log: list[str] = []
    expected: dict[str, Any] = {}
    for serial, (kind, number) in enumerate(steps):
        if kind == "grow":
            log = [*log, *(f"{serial}-{each}".ljust(STEP, "x") for each in range(number))]
        elif kind == "shrink":
            log = log[:-number]
        elif kind == "change" and log:
            log = [*log]
            log[number % len(log)] = f"{serial}".ljust(STEP, "y")
        elif kind == "resume" and table.newest:
            table.resume(table.newest)
        expected[table.put({"log": log, "small": serial}).key] = {"log": log, "small": serial}
    for key, stored in table.read(*expected).items():
        assert values_of(stored) == expected.pop(key)
    assert not expected


def test_a_checkpoint_whose_part_made_room_for_a_newer_one_is_left_out() -> None:
    table = Table()
    log = ["a" * STEP, "b" * STEP]
    whole = table.put({"log": log}).key
    longer = table.put({"log": [*log, "c"]})
    assert longer.needs == {whole}
    table.put({"log": ["d" * STEP], "other": 1}, key=whole)
    assert table.read(longer.key) == {}
    assert values_of(table.read(whole)[whole]) == {"log": ["d" * STEP], "other": 1}


def test_a_checkpoint_whose_part_has_expired_is_left_out() -> None:
    table = Table()
    whole = table.put({"log": ["a" * STEP]}).key
    longer = table.put({"log": ["a" * STEP, "b"]})
    del table.items[whole]
    assert table.read(longer.key) == {}
