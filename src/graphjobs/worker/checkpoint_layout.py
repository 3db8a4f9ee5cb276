"""How a snapshot is laid out in one item: what changed since the checkpoint before it, and where the rest is.

A value that did not change is a reference to the item that has it. One that begins as it did before, such as a list of
messages that grew, is a reference and its new part, so that a state costs what is added to it and not, at every step,
what it has become.

What it refers to need not be the newest item: a new part takes in those before it that are no larger, and the first
one, the whole copy, in its turn. So each part of a value is larger than the next. A value that grew in 1,000 like steps
is in ten items at most, and each of its bytes has been written log2(1,000) / 2 times: what a log-structured merge does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import ormsgpack
from langgraph.checkpoint.serde.base import SerializerProtocol

from graphjobs.aws.checkpoint_table import Item
from graphjobs.worker.snapshot import Snapshot, Typed, Value, Write, Writes, read

INLINE: Final = 256
"""A value up to this is repeated rather than referred to: an old item need not be kept for it."""

WORTH_SHARING: Final = 1024
"""DynamoDB bills a write by the KB."""


@dataclass(frozen=True, slots=True)
class Part:
    """One of the items that a value is read from.

    Attributes:
        key: of the item.
        size: the bytes that are stored there.
        start: where in the value, as it was at that item, the run of bytes begins that the newest still has.
        length: of that run.
    """

    key: str
    size: int
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value is: the parts that it is read from, the whole copy first."""

    value: Value
    parts: tuple[Part, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(part.key for part in self.parts)


@dataclass(frozen=True, slots=True)
class Stored:
    """A snapshot that is in the table."""

    snapshot: Snapshot
    key: str
    places: Mapping[str, Place]
    subgraphs: Mapping[str, str] | None
    """Of the outermost graph's: where the newest checkpoint of each subgraph is, by namespace; None if not told."""
    needs: frozenset[str]


def lay_out(
    snapshot: Snapshot, key: str, base: Stored | None = None, subgraphs: Mapping[str, Stored] | None = None
) -> tuple[Item, Stored]:
    """The item at `key`; of `base`, if that is the parent, it repeats nothing.

    `subgraphs` are to be found through this checkpoint.
    """
    before = base.places if base is not None and base.snapshot.checkpoint_id == snapshot.parent_id else {}
    entries: dict[str, list[Any]] = {}
    places: dict[str, Place] = {}
    for channel, value in snapshot.values.items():
        entries[channel], places[channel] = _entry(value, key, before.get(channel))
    needs = {needed for place in places.values() for needed in place.keys} - {key}
    for each in (subgraphs or {}).values():
        needs |= {each.key, *each.needs}
    where = None if subgraphs is None else {namespace: each.key for namespace, each in subgraphs.items()}
    stored = Stored(snapshot, key, places, where, frozenset(needs))
    body = ormsgpack.packb({"head": snapshot.head, "parent": snapshot.parent_id, "values": entries, "subgraphs": where})
    return Item(key, snapshot.namespace, snapshot.checkpoint_id, body, needs=stored.needs), stored


def _entry(value: Value, key: str, before: Place | None) -> tuple[list[Any], Place]:
    kind, data = value.typed
    whole = [kind, data], Place(value, (_part(data, key, len(data)),))
    if before is None or len(data) <= INLINE:
        return whole
    if before.value is value:
        return [before.parts[-1].key], before
    was_kind, was = before.value.typed
    _, at, common = shared(was, data)
    parts = _still(before.parts, common)
    while parts and parts[-1].size <= len(data) - parts[-1].length:
        parts = parts[:-1]
    if not parts or kind != was_kind or parts[-1].length < WORTH_SHARING:
        return whole
    base = parts[-1]
    rest = data[:at] + data[at + base.length :]
    return (
        [kind, rest, base.key, base.start, at, base.length],
        Place(value, (*parts, _part(data, key, len(rest)))),
    )


def _part(data: bytes, key: str, size: int) -> Part:
    """The newest part of `data`, which it has in common with itself."""
    start = _header(data)
    return Part(key, size, start, len(data) - start)


def _still(parts: tuple[Part, ...], common: int) -> tuple[Part, ...]:
    """`parts`, when of what the newest value had, only the first `common` bytes are in the next one."""
    return tuple(replace(part, length=min(part.length, common)) for part in parts)


def shared(old: bytes, new: bytes) -> tuple[int, int, int]:
    """Where in `old` and in `new` the run of bytes begins that both have after their headers, and how long it is.

    The header of a list or a text holds its length, and changes when it grows.
    """
    start, at = _header(old), _header(new)
    a, b = memoryview(old)[start:], memoryview(new)[at:]
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return start, at, low


_HEADERS: Final = {
    **dict.fromkeys((0xC4, 0xD9), 2),
    **dict.fromkeys((0xC5, 0xDA, 0xDC, 0xDE, 0xC7), 3),
    0xC8: 4,
    **dict.fromkeys((0xC6, 0xDB, 0xDD, 0xDF), 5),
    0xC9: 6,
}
"""Bytes before the content, by MessagePack's first byte (bin, str, array, map, ext)."""


def _header(data: bytes) -> int:
    return _HEADERS.get(data[0], 1) if data else 0


def read_out(serde: SerializerProtocol, items: Iterable[Item], wanted: Iterable[str]) -> dict[str, Stored]:
    """Of `items`, the checkpoints at the keys `wanted`, by key.

    One whose parts are not all there is left out: it has made room for a newer one, or has expired in part.
    """
    bodies = {item.key: (item, ormsgpack.unpackb(item.body)) for item in items if item.is_checkpoint}
    places: dict[tuple[str, str], tuple[Typed, tuple[Part, ...]]] = {}

    def place(key: str, channel: str) -> tuple[Typed, tuple[Part, ...]] | None:
        chain: list[tuple[str, list[Any]]] = []
        known = None
        while known is None:
            entry = bodies[key][1]["values"].get(channel)
            if entry is None:
                return None
            chain.append((key, entry))
            refers = _refers(entry)
            if refers is None:
                break
            if refers not in bodies or bodies[refers][0].checkpoint_id > bodies[key][0].checkpoint_id:
                return None  # what it meant has expired, or something newer has been put in its place
            key, known = refers, places.get((refers, channel))
        for at, entry in reversed(chain):
            known = places[at, channel] = _resolved(entry, at, known)
        return known

    found = {}
    for key in wanted:
        item, body = bodies[key]
        whole = {channel: place(key, channel) for channel in body["values"]}
        there = {channel: value for channel, value in whole.items() if value is not None}
        if len(there) < len(whole):
            continue
        typed = {channel: value for channel, (value, _) in there.items()}
        head = (body["head"][0], body["head"][1])
        snapshot = read(serde, item.namespace, body["parent"], head, typed)
        at = {channel: Place(snapshot.values[channel], parts) for channel, (_, parts) in there.items()}
        found[key] = Stored(snapshot, key, at, body["subgraphs"], item.needs)
    return found


def _refers(entry: list[Any]) -> str | None:
    """The key of the item that an entry is read from, besides its own."""
    return None if len(entry) == 2 else str(entry[0] if len(entry) == 1 else entry[2])


def _resolved(
    entry: list[Any], key: str, before: tuple[Typed, tuple[Part, ...]] | None
) -> tuple[Typed, tuple[Part, ...]]:
    if before is None:
        kind, data = entry
        return (kind, data), (_part(data, key, len(data)),)
    if len(entry) == 1:
        return before
    kind, rest, _, start, at, length = entry
    (_, was), parts = before
    data = rest[:at] + was[start : start + length] + rest[at:]
    return (kind, data), (*_still(parts, length), _part(data, key, len(rest)))


def lay_out_writes(namespace: str, checkpoint_id: str, key: str, writes: Writes, subgraphs: Mapping[str, str]) -> Item:
    """The item of pending writes; `subgraphs` as in `Stored`, of those that the step is in."""
    entries = [[*place, write.path, write.channel, *write.typed] for place, write in writes.items()]
    body = ormsgpack.packb({"writes": entries, "subgraphs": dict(subgraphs)})
    return Item(key, namespace, checkpoint_id, body, is_checkpoint=False)


def read_writes(item: Item) -> tuple[list[tuple[tuple[str, int], Write]], dict[str, str]]:
    """What `lay_out_writes` was given."""
    body = ormsgpack.unpackb(item.body)
    writes = [
        ((task, index), Write(path, channel, (kind, data))) for task, index, path, channel, kind, data in body["writes"]
    ]
    return writes, body["subgraphs"]
