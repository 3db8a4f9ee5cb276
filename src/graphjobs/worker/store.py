"""LangGraph's store in DynamoDB: long-term memory that every job of a deployment shares.

`DynamoDBStore` with what LangGraph's own stores promise and it does not: a search finds every namespace under a
prefix, the latest items first, or the nearest (`store_index`), and filters before it counts; values are any JSON,
numbers included; reads are consistent; an item that has expired is gone, deleted by DynamoDB or not. Its keys are
those of `graphjobs.aws.store_keys`.
"""

from __future__ import annotations

import asyncio
import heapq
import json
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from langgraph.store.base import Item, ListNamespacesOp, MatchCondition, PutOp, SearchItem, SearchOp
from langgraph_checkpoint_aws import DynamoDBStore

from graphjobs.aws import clients
from graphjobs.aws.schema import TTL_ATTRIBUTE
from graphjobs.aws.store_keys import Namespace, read_back, store_key, under
from graphjobs.core import langgraph_json
from graphjobs.worker.embeddings import load_embeddings
from graphjobs.worker.load_error import GraphLoadError
from graphjobs.worker.store_index import NOTHING, VECTORS, Embedded, StoreIndex

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.config import Config
    from langgraph.store.base import GetOp, Op, Result

    from graphjobs.core.settings import Settings

ANY: Final = "*"
"""In a condition on namespaces: any one label."""

NAMES: Final = {"#value": "value", "#vectors": VECTORS}


class GraphStore(DynamoDBStore):
    """See the module."""

    def __init__(
        self, table: str, ttl: Any = None, index: StoreIndex | None = None, config: Config = clients.WORKER
    ) -> None:
        """`ttl` is the ``ttl`` of the ``store`` in ``langgraph.json``: minutes; None keeps items for ever."""
        super().__init__(
            table, boto3_session=clients.session(), endpoint_url=clients.endpoint(), boto_config=config, ttl=ttl
        )
        self._type_serializer = _Json()
        self._index = index

    def check(self) -> str:
        """One line that says why the index cannot be had; empty if it can, or if there is none."""
        try:
            if self._index is not None:
                self._index.embeddings()
        except GraphLoadError as error:
            return str(error)
        return ""

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Carry out each of `ops`, one after the other."""
        ops = list(ops)
        embedded = self._index.embed(ops) if self._index else NOTHING
        return [self._carry_out(op, embedded) for op in ops]

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """Carry out `ops` all at once."""
        ops = list(ops)
        embedded = await self._index.aembed(ops) if self._index else NOTHING
        return list(await asyncio.gather(*(asyncio.to_thread(self._carry_out, op, embedded) for op in ops)))

    def _carry_out(self, op: Op, embedded: Embedded) -> Result:
        if isinstance(op, SearchOp):
            return self._found(op, embedded)
        if isinstance(op, PutOp) and op.value is not None:
            self._put(op, op.value, embedded)
            return None
        result: Result = super().batch([op])[0]
        return result

    def _put(self, op: PutOp, value: Mapping[str, Any], embedded: Embedded) -> None:
        """Replace the item but for its `created_at`; its vectors are those of this value, or none."""
        partition, sort = self._construct_composite_key(op.namespace, op.key)
        now = {"S": datetime.now(UTC).isoformat()}
        attributes: dict[str, Any] = {"#value": self._type_serializer.serialize(value), "updated_at": now}
        if op.ttl is not None:
            attributes[TTL_ATTRIBUTE] = {"N": str(self._calculate_expiry(op.ttl))}
        vectors = self._index.kept(op, embedded) if self._index else b""
        if self._index and vectors:
            attributes["#vectors"] = {"M": {self._index.maker: {"B": vectors}}}
        sets = [f"{name} = :{name.strip('#')}" for name in attributes]
        removes = [name for name in (TTL_ATTRIBUTE, "#vectors") if name not in attributes]
        expression = f"SET {', '.join(sets)}, created_at = if_not_exists(created_at, :updated_at)"
        self.client.update_item(
            TableName=self.table_name,
            Key={"PK": {"S": partition}, "SK": {"S": sort}},
            UpdateExpression=f"{expression} REMOVE {', '.join(removes)}" if removes else expression,
            ExpressionAttributeNames=NAMES,
            ExpressionAttributeValues={f":{name.strip('#')}": each for name, each in attributes.items()},
        )

    def _construct_composite_key(self, namespace: Namespace, key: str) -> tuple[str, str]:
        return store_key(namespace, key)

    def _deserialize_item(self, item: dict[str, Any]) -> dict[str, Any]:
        plain = {name: next(iter(value.values())) for name, value in item.items() if name != VECTORS}
        return {**plain, "value": json.loads(plain["value"])} if "value" in plain else plain

    def _map_to_item(self, result_dict: dict[str, Any], item_type: Any = Item) -> Any:
        namespace, key = read_back(result_dict["PK"], result_dict["SK"])
        return item_type(
            value=result_dict["value"],
            key=key,
            namespace=namespace,
            created_at=self._parse_ts(result_dict["created_at"]),
            updated_at=self._parse_ts(result_dict["updated_at"]),
        )

    def _batch_get_op(self, op: GetOp) -> Item | None:
        partition, sort = self._construct_composite_key(op.namespace, op.key)
        key = {"PK": {"S": partition}, "SK": {"S": sort}}
        found = self.client.get_item(TableName=self.table_name, Key=key, ConsistentRead=True).get("Item")
        if found is None or _expired(found):
            return None
        if op.refresh_ttl:
            self._refresh_ttl(partition, sort)
        item: Item = self._map_to_item(self._deserialize_item(found))
        return item

    def _refresh_ttl(self, pk: str, sk: str) -> None:
        """Let an item that was read live on; it is no newer for it."""
        minutes = (self.ttl_config or {}).get("default_ttl")
        if minutes is None:
            return
        try:
            self.client.update_item(
                TableName=self.table_name,
                Key={"PK": {"S": pk}, "SK": {"S": sk}},
                UpdateExpression=f"SET {TTL_ATTRIBUTE} = :at",
                ConditionExpression="attribute_exists(PK)",
                ExpressionAttributeValues={":at": {"N": str(self._calculate_expiry(minutes))}},
            )
        except self.client.exceptions.ConditionalCheckFailedException:
            return  # deleted since it was read

    def _found(self, op: SearchOp, embedded: Embedded) -> list[SearchItem]:
        """The nearest items first, then those without vectors; of equals, and where nothing is asked, the latest."""
        score = self._index.nearest(embedded.questions[op.query]) if self._index and op.query else _no_score
        wanted = {"#value": "value"} if score is _no_score else NAMES
        projection = ", ".join(("PK", "SK", "created_at", "updated_at", TTL_ATTRIBUTE, *wanted))
        items = self._items_under(op.namespace_prefix, ProjectionExpression=projection, ExpressionAttributeNames=wanted)
        if op.filter:
            items = (each for each in items if matches(json.loads(each["value"]["S"]), op.filter))
        scored = ((score(each), each) for each in items)
        found = []
        for nearness, each in heapq.nlargest(op.offset + op.limit, scored, key=_rank)[op.offset :]:
            if op.refresh_ttl:
                self._refresh_ttl(each["PK"]["S"], each["SK"]["S"])
            item = self._map_to_item(self._deserialize_item(each), SearchItem)
            item.score = nearness
            found.append(item)
        return found

    def _batch_list_namespaces_op(self, op: ListNamespacesOp) -> list[Namespace]:
        conditions = op.match_conditions or ()
        prefixes = [_before_any(each.path) for each in conditions if each.match_type == "prefix"]
        items = self._items_under(max(prefixes, key=len, default=()), ProjectionExpression=f"PK, SK, {TTL_ATTRIBUTE}")
        namespaces = {read_back(each["PK"]["S"], each["SK"]["S"])[0] for each in items}
        kept = {each[: op.max_depth] for each in namespaces if all(_meets(each, one) for one in conditions)}
        return sorted(kept)[op.offset : op.offset + op.limit]

    def _items_under(self, prefix: Namespace, **more: Any) -> Iterator[dict[str, Any]]:
        """The items of all namespaces that begin with `prefix`, as DynamoDB has them; without one, of the table."""
        request: dict[str, Any] = {"TableName": self.table_name, "ConsistentRead": True, **more}
        if prefix:
            request["KeyConditionExpression"] = "PK = :pk"
            request["ExpressionAttributeValues"] = {":pk": {"S": prefix[0]}}
        if prefix[1:]:
            request["KeyConditionExpression"] += " AND begins_with(SK, :sk)"
            request["ExpressionAttributeValues"][":sk"] = {"S": under(prefix[1:])}
        pages = self.client.get_paginator("query" if prefix else "scan").paginate(**request)
        return (item for page in pages for item in page["Items"] if not _expired(item))


class _Json:
    """In place of boto3's serializer, which has no form for a number with a fraction, and gives others back changed."""

    def serialize(self, value: Mapping[str, Any]) -> dict[str, str]:
        return {"S": json.dumps(value, ensure_ascii=False)}


def graph_store(settings: Settings) -> GraphStore:
    """The store of one worker process.

    Raises:
        LangGraphJsonInvalid: the project's file cannot be read.
    """
    file = langgraph_json.read(Path(settings.config))
    store = file.store or {}
    index = store.get("index")
    return GraphStore(
        settings.store_table,
        store.get("ttl"),
        StoreIndex(index, lambda: load_embeddings(index["embed"], file.root)) if index else None,
    )


def matches(value: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether `value` has what a search's filter asks for: members, or ``{"$gt": 1}`` and the like of them."""
    return all(_compares(value.get(name), each) for name, each in wanted.items())


def _compares(value: Any, wanted: Any) -> bool:
    if not isinstance(wanted, dict):
        return bool(value == wanted)
    if any(name.startswith("$") for name in wanted):
        return all(_operators(value, name, operand) for name, operand in wanted.items())
    return isinstance(value, dict) and matches(value, wanted)


def _operators(value: Any, name: str, operand: Any) -> bool:
    if name == "$eq":
        return bool(value == operand)
    if name == "$ne":
        return bool(value != operand)
    if name not in ("$gt", "$gte", "$lt", "$lte"):
        raise ValueError(f"There is no operator {name!r} in a filter.")
    if value is None:
        return False
    number, bound = float(value), float(operand)
    return {"$gt": number > bound, "$gte": number >= bound, "$lt": number < bound, "$lte": number <= bound}[name]


def _no_score(item: Mapping[str, Any]) -> None:
    """Of a search that asks nothing."""


def _rank(scored: tuple[float | None, Mapping[str, Any]]) -> tuple[bool, float, str]:
    score, item = scored
    return score is not None, score or 0.0, item["updated_at"]["S"]


def _expired(item: Mapping[str, Any]) -> bool:
    return TTL_ATTRIBUTE in item and int(item[TTL_ATTRIBUTE]["N"]) <= time.time()


def _before_any(path: Namespace) -> Namespace:
    return path[: path.index(ANY)] if ANY in path else tuple(path)


def _meets(namespace: Namespace, condition: MatchCondition) -> bool:
    path = condition.path
    part = namespace[: len(path)] if condition.match_type == "prefix" else namespace[-len(path) :]
    return len(part) == len(path) and all(label in (ANY, own) for label, own in zip(path, part, strict=True))
