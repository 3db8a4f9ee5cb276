"""Counts AWS calls, and the DynamoDB units that they are billed, from what is sent and what comes back.

The rules are DynamoDB's: a write unit is 1 KB, twice that in a transaction; a read unit is 4 KB read consistently,
half of it eventually, and an item that is not there costs as much as a small one. An index is billed for a write
that changes what it projects, once, or twice if its key moves (one delete and one put). A transaction's doubling is
for its table writes: an index follows after the commit. (moto's own ConsumedCapacity is always 1.)
"""

from __future__ import annotations

import math
import re
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from boto3.dynamodb.types import TypeSerializer

KINDS = frozenset({"S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS"})
ITEM_OVERHEAD_BYTES = 100
"""What DynamoDB adds to each item that it stores, and to each entry of an index."""


@dataclass
class Meter:
    """Counts for the clients that it is attached to; `schemas` are `create_table`'s arguments, by table name.

    Attributes:
        calls: by ``service:Operation``.
        writes: write units by table and operation, without those of indexes.
        index_writes: write units by index.
        reads: read units by table.
        stored: bytes by table, of items put and never deleted.
    """

    schemas: Mapping[str, Mapping[str, Any]]
    calls: Counter[str] = field(default_factory=Counter)
    writes: Counter[tuple[str, str]] = field(default_factory=Counter)
    index_writes: Counter[str] = field(default_factory=Counter)
    reads: dict[str, float] = field(default_factory=dict)
    stored: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _asked: dict[int, dict[str, Any]] = field(default_factory=dict)

    def attach(self, events: Any) -> None:
        """Count what the clients of a session, or one client, do from now on; `events` is its event system."""
        # The last event that has the parameters as they were given, after every hook that may change them.
        events.register("before-parameter-build.*.*", self._sent)
        events.register("after-call.*.*", self._answered)

    def _sent(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        with self._lock:
            self.calls[f"{model.service_model.service_name}:{model.name}"] += 1
            self._asked[threading.get_ident()] = params  # a client answers on the thread that asked
            if model.name == "PutItem":
                self._put(params["TableName"], params["Item"], model.name)
            elif model.name == "UpdateItem":
                self._update(params, model.name)
            elif model.name == "BatchWriteItem":
                for name, requests in params["RequestItems"].items():
                    for request in requests:
                        self._put(name, request.get("PutRequest", {}).get("Item", {}), model.name)
            elif model.name == "TransactWriteItems":
                for item in params["TransactItems"]:
                    if "Put" in item:
                        self._put(item["Put"]["TableName"], item["Put"]["Item"], model.name, factor=2)
                    if "Update" in item:
                        self._update(item["Update"], model.name, factor=2)

    def _put(self, name: str, item: dict[str, Any], operation: str, factor: int = 1) -> None:
        size = size_of(item)
        self.writes[name, operation] += factor * math.ceil(max(1, size) / 1024)
        self.stored[name] += size + ITEM_OVERHEAD_BYTES
        for index in self.schemas[name].get("GlobalSecondaryIndexes", ()):
            if index_keys(index) <= item.keys():
                self.index_writes[index["IndexName"]] += 1
                self.stored[name] += ITEM_OVERHEAD_BYTES

    def _update(self, update: dict[str, Any], operation: str, factor: int = 1) -> None:
        """Of an item under 1 KB, as a job row is, which is in every index of its table until it loses a key."""
        self.writes[update["TableName"], operation] += factor
        changed, removed = changed_names(update["UpdateExpression"], update.get("ExpressionAttributeNames", {}))
        for index in self.schemas[update["TableName"]].get("GlobalSecondaryIndexes", ()):
            self.index_writes[index["IndexName"]] += index_units(index, changed, removed)

    def _answered(self, model: Any, parsed: dict[str, Any], **_: Any) -> None:
        with self._lock:
            asked = self._asked.pop(threading.get_ident(), {})
            unit = 1.0 if asked.get("ConsistentRead") else 0.5
            if model.name == "GetItem":
                self._read(asked["TableName"], unit * blocks(size_of(parsed.get("Item", {}))))
            elif model.name == "Query":
                self._read(asked["TableName"], unit * blocks(sum(size_of(item) for item in parsed["Items"])))
            elif model.name == "BatchGetItem":
                for name, request in asked["RequestItems"].items():
                    unit = 1.0 if request.get("ConsistentRead") else 0.5
                    found = parsed.get("Responses", {}).get(name, [])
                    missing = len(request["Keys"]) - len(found)
                    self._read(name, unit * (missing + sum(blocks(size_of(item)) for item in found)))

    def _read(self, name: str, units: float) -> None:
        self.reads[name] = self.reads.get(name, 0.0) + units


def blocks(size: int) -> int:
    """How many blocks of 4 KB are read for `size` bytes; one at least."""
    return max(1, math.ceil(size / 4096))


def index_keys(index: Mapping[str, Any]) -> set[str]:
    """The key attributes of an index."""
    return {key["AttributeName"] for key in index["KeySchema"]}


def index_units(index: Mapping[str, Any], changed: set[str], removed: set[str]) -> int:
    """Write units that an index is billed for an update of an item that is in it."""
    keys = index_keys(index)
    if keys & removed:
        return 1  # its entry is deleted
    if keys & changed:
        return 2  # deleted under the old key, put under the new one
    projected = set(index["Projection"].get("NonKeyAttributes", ()))
    return 1 if projected & (changed | removed) else 0


def changed_names(expression: str, names: Mapping[str, str]) -> tuple[set[str], set[str]]:
    """The attributes that an update expression sets, and those that it removes."""
    setting, _, removing = expression.partition("REMOVE")
    changed = re.findall(r"(#?\w+)\s*=", setting)
    removed = re.findall(r"#?\w+", removing)
    return {names.get(name, name) for name in changed}, {names.get(name, name) for name in removed}


def size_of(item: Mapping[str, Any]) -> int:
    """About what DynamoDB bills an item as, in bytes: names and values."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: Any) -> int:
    if not (isinstance(value, dict) and len(value) == 1 and next(iter(value)) in KINDS):
        return _value_size(TypeSerializer().serialize(value))
    ((kind, content),) = value.items()
    if kind == "S":
        return len(content.encode())
    if kind == "N":
        return len(str(content)) // 2 + 2
    if kind == "B":
        return len(bytes(content))
    if kind == "L":
        return 3 + sum(1 + _value_size(item) for item in content)
    if kind == "M":
        return 3 + sum(1 + len(name.encode()) + _value_size(item) for name, item in content.items())
    return 1
