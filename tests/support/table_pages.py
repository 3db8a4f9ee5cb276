"""What a query or a scan of DynamoDB finds, page by page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from graphjobs.local.resources import TABLES
from tests.support.expressions import compiled, name_of
from tests.support.table_limits import PAGE_BYTES, invalid, size_of

Item = Mapping[str, Any]


def queried(table: str, partitions: Mapping[str, Mapping[Any, Item]], asked: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to a query; `partitions` are all items of the table, by partition and sort key."""
    text = asked["KeyConditionExpression"]
    names, values, index = _named(asked), asked["ExpressionAttributeValues"], asked.get("IndexName")
    if index is None:
        partition = _partition(text, names, values, schema(table)[0])
        there: Iterable[Item] = partitions.get(partition, {}).values()
    elif asked.get("ConsistentRead"):
        raise invalid("Consistent reads are not supported on global secondary indexes")
    else:
        there = _indexed(table, partitions, index)
    condition = compiled(text)
    found = (item for item in there if condition(item, names, values))
    return _page(table, index, found if index is None else _shown(table, index, found), asked)


def scanned(table: str, partitions: Mapping[str, Mapping[Any, Item]], asked: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to a scan, as for `queried`. In the order of keys, which DynamoDB does not promise."""
    index = asked.get("IndexName")
    if index is not None:
        return _page(table, index, _shown(table, index, _indexed(table, partitions, index)), asked)
    return _page(table, None, (item for partition in partitions.values() for item in partition.values()), asked)


def projected(item: Item, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Of an item, what a call asks for."""
    if "ProjectionExpression" not in asked:
        return dict(item)
    names = _named(asked)
    wanted = {name_of(name.strip(), names) for name in asked["ProjectionExpression"].split(",")}
    return {name: value for name, value in item.items() if name in wanted}


@cache
def schema(table: str, index: str | None = None) -> tuple[str, ...]:
    """The names of the keys of a table, or of one of its indexes."""
    keys = TABLES[table] if index is None else _index(table, index)
    return tuple(key["AttributeName"] for key in keys["KeySchema"])


def sortable(value: Mapping[str, Any]) -> Any:
    """What a key is sorted by."""
    ((kind, inner),) = value.items()
    return int(inner) if kind == "N" else inner


def _page(table: str, index: str | None, found: Iterable[Item], asked: Mapping[str, Any]) -> dict[str, Any]:
    """Limits are of what has been looked at, before the filter."""
    keys = [*dict.fromkeys((*schema(table, index), *schema(table)))]
    names, values, backwards = _named(asked), asked.get("ExpressionAttributeValues", {}), _backwards(asked)

    def place(item: Item) -> tuple[Any, ...]:
        return tuple(sortable(item[key]) for key in keys)

    ordered = sorted(found, key=place, reverse=backwards)
    if "ExclusiveStartKey" in asked:
        start = place(asked["ExclusiveStartKey"])
        ordered = [item for item in ordered if (place(item) < start if backwards else place(item) > start)]
    looked_at, size, answer = 0, 0, dict[str, Any]()
    for item in ordered:
        size += size_of(item)
        if looked_at and size > PAGE_BYTES:
            break
        looked_at += 1
        if looked_at == asked.get("Limit"):
            break
    if looked_at < len(ordered):
        answer["LastEvaluatedKey"] = {key: ordered[looked_at - 1][key] for key in keys}
    kept = ordered[:looked_at]
    if "FilterExpression" in asked:
        keep = compiled(asked["FilterExpression"])
        kept = [item for item in kept if keep(item, names, values)]
    if asked.get("Select") != "COUNT":
        answer["Items"] = [projected(item, asked) for item in kept]
    return answer | {"Count": len(kept), "ScannedCount": looked_at}


def _indexed(table: str, partitions: Mapping[str, Mapping[Any, Item]], index: str) -> Iterable[Item]:
    """The items that are in an index, whole."""
    keys = {*schema(table, index)}
    return (item for partition in partitions.values() for item in partition.values() if keys <= item.keys())


def _shown(table: str, index: str, items: Iterable[Item]) -> Iterable[Item]:
    """What an index has of its items."""
    shown = {*schema(table, index), *schema(table), *_index(table, index)["Projection"].get("NonKeyAttributes", ())}
    return ({name: value for name, value in item.items() if name in shown} for item in items)


def _index(table: str, name: str) -> Any:
    (found,) = (each for each in TABLES[table]["GlobalSecondaryIndexes"] if each["IndexName"] == name)
    return found


def _partition(text: str, names: Mapping[str, str], values: Item, key: str) -> Any:
    """The partition that a key condition names."""
    for name, value in _equalities(text):
        if name_of(name, names) == key:
            return values[value]["S"]
    raise invalid(f"no partition: {text}")


@cache
def _equalities(text: str) -> tuple[tuple[str, str], ...]:
    """The names and the values that a key condition says are equal."""
    parts = [part.split() for part in text.split(" AND ")]
    return tuple((part[0], part[2]) for part in parts if part[1] == "=")


def _named(asked: Mapping[str, Any]) -> Mapping[str, str]:
    names: Mapping[str, str] = asked.get("ExpressionAttributeNames", {})
    return names


def _backwards(asked: Mapping[str, Any]) -> bool:
    return not asked.get("ScanIndexForward", True)
