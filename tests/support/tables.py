"""DynamoDB and a bucket of S3 in this process, as far as our stores use them: a call takes microseconds, on moto it
takes milliseconds. `tests/model/test_tables.py` holds them against moto.

An item never changes: each write puts another in its place.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from botocore.exceptions import ClientError

from graphjobs.core.times import Clock
from graphjobs.local.resources import TABLES
from tests.support.expressions import assigned, compiled, name_of
from tests.support.faults import client_error

Item = Mapping[str, Any]
Key = tuple[str, Any]

_CONDITIONS: Final = ("ConditionExpression", "ExpressionAttributeNames", "ExpressionAttributeValues")


class MemoryTables:
    """A DynamoDB client over the tables of a deployment. No page ends early, and nothing is ever behind."""

    meta: Any = None

    def __init__(self, on_write: Callable[[str, Item | None, Item | None], object] = lambda *_: None) -> None:
        """`on_write` is told of each write: table, item before, item after."""
        self._on_write = on_write
        self.items: dict[str, dict[str, dict[Any, Item]]] = {name: defaultdict(dict) for name in TABLES}
        """By table, partition and sort key."""

    def all(self, table: str) -> Iterator[Item]:
        """Every item of a table."""
        return (item for partition in list(self.items[table].values()) for item in list(partition.values()))

    def get_item(self, *, TableName: str, Key: Item, **asked: Any) -> dict[str, Any]:
        """See boto3's client, as all below."""
        found = self._found(TableName, Key)
        return {} if found is None else {"Item": _projected(found, asked)}

    def put_item(self, *, TableName: str, Item: Item, **asked: Any) -> dict[str, Any]:
        self._check(TableName, Item, asked)
        self._store(TableName, Item)
        return {}

    def update_item(self, *, TableName: str, Key: Item, ReturnValues: str = "NONE", **asked: Any) -> dict[str, Any]:
        self._check(TableName, Key, asked)
        after = self._updated(TableName, Key, asked)
        self._store(TableName, after)
        return {"Attributes": dict(after)} if ReturnValues == "ALL_NEW" else {}

    def delete_item(self, *, TableName: str, Key: Item, ReturnValues: str = "NONE", **asked: Any) -> dict[str, Any]:
        self._check(TableName, Key, asked)
        before = self._found(TableName, Key)
        self._store(TableName, Key, gone=True)
        return {"Attributes": dict(before)} if before is not None and ReturnValues == "ALL_OLD" else {}

    def batch_get_item(self, *, RequestItems: Mapping[str, Any]) -> dict[str, Any]:
        found = {
            table: [dict(item) for key in asked["Keys"] if (item := self._found(table, key)) is not None]
            for table, asked in RequestItems.items()
        }
        return {"Responses": found, "UnprocessedKeys": {}}

    def transact_write_items(self, *, TransactItems: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        writes = [next(iter(each.items())) for each in TransactItems]
        reasons = [{"Code": "None"} for _ in writes]
        for (_, asked), reason in zip(writes, reasons, strict=True):
            try:
                self._check(asked["TableName"], asked.get("Key") or asked["Item"], asked)
            except ClientError:
                reason["Code"] = "ConditionalCheckFailed"
        if any(reason["Code"] != "None" for reason in reasons):
            error = client_error("TransactionCanceledException")
            error.response["CancellationReasons"] = reasons  # type: ignore[typeddict-item]
            raise error
        for kind, asked in writes:
            table = asked["TableName"]
            self._store(table, asked["Item"] if kind == "Put" else self._updated(table, asked["Key"], asked))
        return {}

    def query(self, *, TableName: str, KeyConditionExpression: str, **asked: Any) -> dict[str, Any]:
        names, values = asked.get("ExpressionAttributeNames", {}), asked["ExpressionAttributeValues"]
        keys, condition = _schema(TableName, asked.get("IndexName")), compiled(KeyConditionExpression)
        if "IndexName" in asked:
            shown = _shown(TableName, asked["IndexName"])
            there: Iterable[Item] = (
                {name: value for name, value in item.items() if name in shown}
                for item in self.all(TableName)
                if all(key in item for key in keys)
            )
        else:
            (partition,) = (value for name, value in _equals(KeyConditionExpression, names, values) if name == keys[0])
            there = self.items[TableName].get(partition["S"], {}).values()
        found = sorted(
            (item for item in there if condition(item, names, values)),
            key=lambda item: _sortable(item[keys[1]]),
            reverse=not asked.get("ScanIndexForward", True),
        )[: asked.get("Limit")]
        if "FilterExpression" in asked:
            keep = compiled(asked["FilterExpression"])
            found = [item for item in found if keep(item, names, values)]
        if asked.get("Select") == "COUNT":
            return {"Count": len(found)}
        return {"Items": [_projected(item, asked) for item in found], "Count": len(found)}

    def _found(self, table: str, key: Item) -> Item | None:
        partition, sort = _place(table, key)
        return self.items[table].get(partition, {}).get(sort)

    def _check(self, table: str, key: Item, asked: Mapping[str, Any]) -> None:
        text, names, values = (asked.get(name) for name in _CONDITIONS)
        if text is None:
            return
        before = self._found(table, key)
        if not compiled(text)(before or {}, names or {}, values or {}):
            error = client_error("ConditionalCheckFailedException")
            if before is not None and asked.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD":
                error.response["Item"] = dict(before)  # type: ignore[typeddict-unknown-key]
            raise error

    def _updated(self, table: str, key: Item, asked: Mapping[str, Any]) -> Item:
        before = self._found(table, key) or key
        names, values = asked.get("ExpressionAttributeNames", {}), asked.get("ExpressionAttributeValues", {})
        return assigned(asked["UpdateExpression"], before, names, values)

    def _store(self, table: str, item: Item, *, gone: bool = False) -> None:
        partition, sort = _place(table, item)
        items, before = self.items[table][partition], self.items[table][partition].get(sort)
        if gone:
            items.pop(sort, None)
        else:
            items[sort] = item
        self._on_write(table, before, None if gone else item)


class MemoryBucket:
    """An S3 client over one bucket; `objects` may be taken from, and say when they were put (epoch milliseconds)."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.objects: dict[str, dict[str, Any]] = {}

    def put_object(self, *, Key: str, **given: Any) -> dict[str, Any]:
        """See boto3's client, as below."""
        self.objects[Key] = {**given, "LastModified": self._clock()}
        return {}

    def get_object(self, *, Key: str, **_: Any) -> dict[str, Any]:
        if Key not in self.objects:
            raise client_error("NoSuchKey", 404)
        found = self.objects[Key]
        return {"Body": io.BytesIO(found["Body"]), "ContentType": found.get("ContentType", "")}


def _schema(table: str, index: str | None = None) -> list[str]:
    schema = TABLES[table] if index is None else _index(table, index)
    return [key["AttributeName"] for key in schema["KeySchema"]]


def _index(table: str, name: str) -> Any:
    (found,) = (each for each in TABLES[table]["GlobalSecondaryIndexes"] if each["IndexName"] == name)
    return found


def _shown(table: str, index: str) -> set[str]:
    """The attributes that an index projects."""
    return {*_schema(table), *_schema(table, index), *_index(table, index)["Projection"].get("NonKeyAttributes", ())}


def _place(table: str, item: Item) -> Key:
    partition, *sort = _schema(table)
    return item[partition]["S"], _sortable(item[sort[0]]) if sort else None


def _sortable(value: Mapping[str, Any]) -> Any:
    ((kind, inner),) = value.items()
    return int(inner) if kind == "N" else inner


def _equals(text: str, names: Mapping[str, str], values: Item) -> Iterator[tuple[str, Any]]:
    for part in text.split(" AND "):
        name, operator, *rest = part.split()
        if operator == "=":
            yield name_of(name, names), values[rest[0]]


def _projected(item: Item, asked: Mapping[str, Any]) -> dict[str, Any]:
    if "ProjectionExpression" not in asked:
        return dict(item)
    names = asked.get("ExpressionAttributeNames", {})
    wanted = {name_of(name.strip(), names) for name in asked["ProjectionExpression"].split(",")}
    return {name: value for name, value in item.items() if name in wanted}
