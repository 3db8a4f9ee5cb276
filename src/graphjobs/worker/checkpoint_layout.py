"""How a snapshot is laid out in one item: what changed since the checkpoint before it, and where the rest is.

A value that did not change is a reference to the item that has it. One that begins as it did before, such as a list of
messages that grew, is a reference and its new part, so that a state costs what is added to it and not, at every step,
what it has become. Whole copies in between keep what must be read to a few times what it holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import ormsgpack
from langgraph.checkpoint.serde.base import SerializerProtocol

from graphjobs.aws.checkpoint_table import Item
from graphjobs.worker.snapshot import Snapshot, Typed, Value, Write, Writes, read

INLINE: Final = 256
"""A value up to this is repeated rather than referred to: an old item need not be kept for it."""

WORTH_SHARING: Final = 1024
"""DynamoDB bills a write by the KB."""

MAX_CHAIN: Final = 32
GROWTH: Final = 5
"""A whole copy is due when its new parts have come to a fifth of it: all copies then cost six times the last."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value is: the items that it is read from, the newest last, and the bytes added since its whole copy."""

    value: Value
    keys: tuple[str, ...]
    added: int


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
    whole = [kind, data], Place(value, (key,), 0)
    if before is None or len(data) <= INLINE:
        return whole
    if before.value is value:
        return [before.keys[-1]], before
    was_kind, was = before.value.typed
    start, at, length = shared(was, data)
    rest = data[:at] + data[at + length :]
    added = before.added + len(rest)
    if kind != was_kind or length < WORTH_SHARING or len(before.keys) >= MAX_CHAIN or added * GROWTH > len(data):
        return whole
    return [kind, rest, before.keys[-1], start, at, length], Place(value, (*before.keys, key), added)


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


def read_out(serde: SerializerProtocol, items: Iterable[Item]) -> dict[str, Stored]:
    """Of `items`, each with all that it needs, the checkpoints by key.

    Raises:
        KeyError: an item that another one needs is missing.
    """
    bodies = {item.key: (item, ormsgpack.unpackb(item.body)) for item in items if item.is_checkpoint}
    places: dict[tuple[str, str], tuple[Typed, tuple[str, ...], int]] = {}

    def place(key: str, channel: str) -> tuple[Typed, tuple[str, ...], int]:
        """Iterative: a chain may be longer than Python's stack should be deep."""
        pending = [key]
        while pending:
            current = pending[-1]
            entry = bodies[current][1]["values"][channel]
            refers = entry[0] if len(entry) == 1 else entry[2] if len(entry) > 2 else None
            if (current, channel) in places:
                pending.pop()
            elif refers is not None and (refers, channel) not in places:
                pending.append(refers)
            else:
                places[current, channel] = _resolved(entry, current, places.get((refers or "", channel)))
                pending.pop()
        return places[key, channel]

    found = {}
    for key, (item, body) in bodies.items():
        try:
            whole = {channel: place(key, channel) for channel in body["values"]}
        except KeyError:
            if all(needed in bodies for needed in item.needs):
                raise
            continue  # only part of what was asked for: the item is here for others that need it
        typed = {channel: value for channel, (value, _, _) in whole.items()}
        head = (body["head"][0], body["head"][1])
        snapshot = read(serde, item.namespace, body["parent"], head, typed)
        at = {c: Place(snapshot.values[c], keys, added) for c, (_, keys, added) in whole.items()}
        found[key] = Stored(snapshot, key, at, body["subgraphs"], item.needs)
    return found


def _resolved(
    entry: list[Any], key: str, before: tuple[Typed, tuple[str, ...], int] | None
) -> tuple[Typed, tuple[str, ...], int]:
    if before is None:
        kind, data = entry
        return (kind, data), (key,), 0
    if len(entry) == 1:
        return before
    kind, rest, _, start, at, length = entry
    (_, was), keys, added = before
    return (kind, rest[:at] + was[start : start + length] + rest[at:]), (*keys, key), added + len(rest)


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
