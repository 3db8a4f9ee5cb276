"""LangGraph's store in DynamoDB: long-term memory that every job of a deployment shares.

`DynamoDBStore` with what LangGraph's own stores promise and it does not: a search finds every namespace under a
prefix, the latest items first, and filters before it counts; values are any JSON, numbers included; reads are
consistent; an item that has expired is gone, deleted by DynamoDB or not.

Keys: the partition is the first label of the namespace; the sort key is each further label and ``.``, then ``.`` and
the item's key. A label is never empty and has no ``.``, as LangGraph sees to, so this can be read back.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from langgraph.store.base import Item, ListNamespacesOp, MatchCondition, SearchItem, SearchOp
from langgraph_checkpoint_aws import DynamoDBStore

from graphjobs.aws import clients
from graphjobs.aws.schema import TTL_ATTRIBUTE
from graphjobs.core import langgraph_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.config import Config
    from langgraph.store.base import GetOp

    from graphjobs.core.settings import Settings

Namespace = tuple[str, ...]

ANY: Final = "*"
"""In a condition on namespaces: any one label."""


class GraphStore(DynamoDBStore):
    """See the module."""

    def __init__(self, table: str, ttl: Any = None, config: Config = clients.WORKER) -> None:
        """`ttl` is the ``ttl`` of the ``store`` in ``langgraph.json``: minutes; None keeps items for ever."""
        super().__init__(
            table, boto3_session=clients.session(), endpoint_url=clients.endpoint(), boto_config=config, ttl=ttl
        )
        self._type_serializer = _Json()

    def _construct_composite_key(self, namespace: Namespace, key: str) -> tuple[str, str]:
        return namespace[0], _under(namespace[1:]) + "." + key

    def _deserialize_item(self, item: dict[str, Any]) -> dict[str, Any]:
        plain = {name: next(iter(value.values())) for name, value in item.items()}
        return {**plain, "value": json.loads(plain["value"])} if "value" in plain else plain

    def _map_to_item(self, result_dict: dict[str, Any], item_type: Any = Item) -> Any:
        namespace, key = _read_back(result_dict["PK"], result_dict["SK"])
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

    def _batch_search_op(self, op: SearchOp) -> list[SearchItem]:
        found = [self._deserialize_item(each) for each in self._items_under(op.namespace_prefix)]
        if op.filter:
            found = [each for each in found if matches(each["value"], op.filter)]
        found.sort(key=lambda each: each["updated_at"], reverse=True)
        found = found[op.offset : op.offset + op.limit]
        if op.refresh_ttl:
            for each in found:
                self._refresh_ttl(each["PK"], each["SK"])
        return [self._map_to_item(each, SearchItem) for each in found]

    def _batch_list_namespaces_op(self, op: ListNamespacesOp) -> list[Namespace]:
        conditions = op.match_conditions or ()
        prefixes = [_before_any(each.path) for each in conditions if each.match_type == "prefix"]
        items = self._items_under(max(prefixes, key=len, default=()), ProjectionExpression=f"PK, SK, {TTL_ATTRIBUTE}")
        namespaces = {_read_back(each["PK"]["S"], each["SK"]["S"])[0] for each in items}
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
            request["ExpressionAttributeValues"][":sk"] = {"S": _under(prefix[1:])}
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
    return GraphStore(settings.store_table, (file.store or {}).get("ttl"))


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


def _under(labels: Namespace) -> str:
    return "".join(f"{label}." for label in labels)


def _read_back(partition: str, sort: str) -> tuple[Namespace, str]:
    labels = [partition]
    while not sort.startswith("."):
        label, _, sort = sort.partition(".")
        labels.append(label)
    return tuple(labels), sort[1:]


def _expired(item: Mapping[str, Any]) -> bool:
    return TTL_ATTRIBUTE in item and int(item[TTL_ATTRIBUTE]["N"]) <= time.time()


def _before_any(path: Namespace) -> Namespace:
    return path[: path.index(ANY)] if ANY in path else tuple(path)


def _meets(namespace: Namespace, condition: MatchCondition) -> bool:
    path = condition.path
    part = namespace[: len(path)] if condition.match_type == "prefix" else namespace[-len(path) :]
    return len(part) == len(path) and all(label in (ANY, own) for label, own in zip(path, part, strict=True))
