"""DynamoDB and a bucket of S3 in this process, as far as our stores use them: a call takes microseconds, on moto it
takes milliseconds. `tests/model/test_tables.py` holds them against moto.

What DynamoDB refuses is refused, and an expression of a form that is not known here is an error.

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
from tests.support import table_limits as limits
from tests.support.expressions import assigned, compiled
from tests.support.faults import client_error
from tests.support.table_pages import projected, queried, scanned, schema, sortable

Item = Mapping[str, Any]
Key = tuple[str, Any]

_CONDITIONS: Final = ("ConditionExpression", "ExpressionAttributeNames", "ExpressionAttributeValues")


class MemoryTables:
    """A DynamoDB client over the tables of a deployment. Nothing is ever behind."""

    meta: Any = None

    def __init__(self, on_write: Callable[[str, Item | None, Item | None], object] = lambda *_: None) -> None:
        """`on_write` is told of each write: table, item before, item after."""
        self._on_write = on_write
        self._done: dict[str, Any] = {}
        self.writes = 0
        """How many there have been: what was read since the last one is so still."""
        self.items: dict[str, dict[str, dict[Any, Item]]] = {name: defaultdict(dict) for name in TABLES}
        """By table, partition and sort key."""

    def clear(self) -> None:
        """Take all items away, untold."""
        self.writes += 1
        for items in self.items.values():
            items.clear()

    def expire(self, table: str, item: Item) -> None:
        """Take one item away, untold."""
        partition, sort = _place(table, item)
        del self.items[table][partition][sort]
        self.writes += 1

    def all(self, table: str) -> Iterator[Item]:
        """Every item of a table."""
        return (item for partition in list(self.items[table].values()) for item in list(partition.values()))

    def get_item(self, *, TableName: str, Key: Item, **asked: Any) -> dict[str, Any]:
        """See boto3's client, as all below."""
        limits.check_placeholders(asked)
        found = self._found(TableName, Key)
        return {} if found is None else {"Item": projected(found, asked)}

    def put_item(self, *, TableName: str, Item: Item, **asked: Any) -> dict[str, Any]:
        self._check(TableName, Item, asked)
        limits.check_item(Item)
        self._store(TableName, Item)
        return {}

    def update_item(self, *, TableName: str, Key: Item, ReturnValues: str = "NONE", **asked: Any) -> dict[str, Any]:
        self._check(TableName, Key, asked)
        after = self._updated(TableName, Key, asked)
        limits.check_item(after)
        self._store(TableName, after)
        return {"Attributes": dict(after)} if ReturnValues == "ALL_NEW" else {}

    def delete_item(self, *, TableName: str, Key: Item, ReturnValues: str = "NONE", **asked: Any) -> dict[str, Any]:
        self._check(TableName, Key, asked)
        before = self._found(TableName, Key)
        self._store(TableName, Key, gone=True)
        return {"Attributes": dict(before)} if before is not None and ReturnValues == "ALL_OLD" else {}

    def batch_get_item(self, *, RequestItems: Mapping[str, Any]) -> dict[str, Any]:
        limits.check_places(
            [(table, _place(table, key)) for table, asked in RequestItems.items() for key in asked["Keys"]],
            limits.BATCH_READS,
        )
        found = {
            table: [projected(item, asked) for key in asked["Keys"] if (item := self._found(table, key)) is not None]
            for table, asked in RequestItems.items()
        }
        return {"Responses": found, "UnprocessedKeys": {}}

    def batch_write_item(self, *, RequestItems: Mapping[str, Any]) -> dict[str, Any]:
        writes = [
            (table, asked["Key"] if kind == "DeleteRequest" else asked["Item"], kind == "DeleteRequest")
            for table, requests in RequestItems.items()
            for request in requests
            for kind, asked in request.items()
        ]
        limits.check_places([(table, _place(table, item)) for table, item, _ in writes], limits.BATCH_WRITES)
        for _, item, gone in writes:
            if not gone:
                limits.check_item(item)
        for table, item, gone in writes:
            self._store(table, item, gone=gone)
        return {"UnprocessedItems": {}}

    def transact_write_items(
        self, *, TransactItems: Iterable[Mapping[str, Any]], ClientRequestToken: str | None = None
    ) -> dict[str, Any]:
        writes = [next(iter(each.items())) for each in TransactItems]
        if ClientRequestToken is not None and ClientRequestToken in self._done:
            if self._done[ClientRequestToken] != writes:
                raise client_error("IdempotentParameterMismatchException")
            return {}
        limits.check_places(
            [(asked["TableName"], _place(asked["TableName"], _key_in(asked))) for _, asked in writes],
            limits.TRANSACTION_WRITES,
        )
        reasons: list[dict[str, Any]] = []
        for _, asked in writes:
            reasons.append({"Code": "None"})
            try:
                self._check(asked["TableName"], _key_in(asked), asked)
            except ClientError as error:
                said: Any = error.response
                if said["Error"]["Code"] != "ConditionalCheckFailedException":
                    raise
                found = {"Item": said["Item"]} if "Item" in said else {}
                reasons[-1] = {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"} | found
        if any(reason["Code"] != "None" for reason in reasons):
            error = client_error("TransactionCanceledException")
            error.response["CancellationReasons"] = reasons
            raise error
        changes = [self._change(kind, asked) for kind, asked in writes if kind != "ConditionCheck"]
        limits.check_transaction(item for _, item, gone in changes if not gone)
        for table, item, gone in changes:
            self._store(table, item, gone=gone)
        if ClientRequestToken is not None:
            self._done[ClientRequestToken] = writes
        return {}

    def _change(self, kind: str, asked: Mapping[str, Any]) -> tuple[str, Item, bool]:
        table = asked["TableName"]
        if kind == "Update":
            return table, self._updated(table, asked["Key"], asked), False
        return table, _key_in(asked), kind == "Delete"

    def query(self, *, TableName: str, **asked: Any) -> dict[str, Any]:
        limits.check_placeholders(asked)
        return queried(TableName, self.items[TableName], asked)

    def scan(self, *, TableName: str, **asked: Any) -> dict[str, Any]:
        limits.check_placeholders(asked)
        return scanned(TableName, self.items[TableName], asked)

    def _found(self, table: str, key: Item) -> Item | None:
        partition, sort = _place(table, key)
        return self.items[table].get(partition, {}).get(sort)

    def _check(self, table: str, key: Item, asked: Mapping[str, Any]) -> None:
        limits.check_placeholders(asked)
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
        self.writes += 1
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


def _key_in(asked: Mapping[str, Any]) -> Item:
    """What a write of a transaction is at: its key, or the whole item."""
    there: Item = asked.get("Key") or asked["Item"]
    return there


def _place(table: str, item: Item) -> Key:
    partition, *sort = schema(table)
    return item[partition]["S"], sortable(item[sort[0]]) if sort else None
