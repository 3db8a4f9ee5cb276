"""The event log in DynamoDB.

Calls and units: `append` one write of ceil(KB) units; `read` of one key half a read unit (eventually
consistent `GetItem`, O(1) however long the log), of many keys one `BatchGetItem` a hundred; `tail` and
`containing` one reverse `Query` of one item (a whole unit per 4 KB); `following` a `Query` page.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from graphjobs.aws.clients import error_code
from graphjobs.core.event_log import Batch, Fenced, Key
from graphjobs.core.slot import CorruptSlot, Slot, slot_from_item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from graphjobs.aws.payload_store import PayloadStore

BATCH_LIMIT: Final = 100
"""Keys a `BatchGetItem` may ask for."""

PUT_CONDITION: Final = "attribute_not_exists(job_id)"


class DynamoEventLog:
    """`EventLog` over the Events table, with large bodies in a `PayloadStore`."""

    def __init__(self, client: DynamoDBClient, table: str, payloads: PayloadStore) -> None:
        self._client = client
        self._table = table
        self._payloads = payloads

    def append(self, slot: Slot) -> None:
        """See `EventLog.append`."""
        self._payloads.save(slot)
        try:
            self._client.put_item(**self.put(slot))
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise
            item: Any = error.response.get("Item") or self._item_at(slot.job_id, slot.seq)
            if item is None or not slot.same_write(slot_from_item(item)):
                raise Fenced(f"Slot {slot.seq} of {slot.job_id} was written by another.") from error

    def put(self, slot: Slot) -> dict[str, Any]:
        """The conditional put of `slot`, for `append` and for a transaction; its body must be saved before."""
        return {
            "TableName": self._table,
            "Item": slot.to_item(),
            "ConditionExpression": PUT_CONDITION,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def save_body(self, slot: Slot) -> None:
        """Store the body of `slot` if it is too large for the item; before the slot is put."""
        self._payloads.save(slot)

    def tail(self, job_id: str) -> Slot | None:
        """See `EventLog.tail`."""
        return self._last(job_id, "job_id = :job", {})

    def containing(self, job_id: str, seq: int) -> Slot | None:
        """See `EventLog.containing`."""
        slot = self._last(job_id, "job_id = :job AND seq <= :seq", {":seq": {"N": str(seq)}})
        return self.whole(slot) if slot else None

    def _last(self, job_id: str, condition: str, values: dict[str, Any]) -> Slot | None:
        answer = self._client.query(
            TableName=self._table,
            KeyConditionExpression=condition,
            ExpressionAttributeValues={":job": {"S": job_id}, **values},
            ConsistentRead=True,
            ScanIndexForward=False,
            Limit=1,
        )
        return slot_from_item(answer["Items"][0]) if answer["Items"] else None

    def read(self, keys: Iterable[Key]) -> Batch:
        """See `EventLog.read`."""
        wanted = list(dict.fromkeys(keys))
        if len(wanted) == 1:
            item = self._item_at(*wanted[0], consistent=False)
            return _batch([] if item is None else [item])
        batch = Batch({})
        remaining = iter(wanted)
        while part := list(islice(remaining, BATCH_LIMIT)):
            more = self._read_batch(part)
            batch = Batch(batch.found | more.found, batch.unknown | more.unknown, batch.corrupt | more.corrupt)
        return batch

    def _read_batch(self, keys: list[Key]) -> Batch:
        asked = {self._table: {"Keys": [_key(*key) for key in keys]}}
        answer = self._client.batch_get_item(RequestItems=asked)  # type: ignore[arg-type]
        # An unprocessed key was not looked at: taking it for absent would be a guess.
        left = answer.get("UnprocessedKeys", {}).get(self._table, {"Keys": []})["Keys"]
        return _batch(answer["Responses"].get(self._table, []), frozenset(map(_key_of, left)))

    def whole(self, slot: Slot) -> Slot:
        """See `EventLog.whole`."""
        return self._payloads.inlined(slot)

    def following(self, job_id: str, seq: int, *, max_slots: int) -> list[Slot]:
        """See `EventLog.following`."""
        answer = self._client.query(
            TableName=self._table,
            KeyConditionExpression="job_id = :job AND seq >= :seq",
            ExpressionAttributeValues={":job": {"S": job_id}, ":seq": {"N": str(seq)}},
            Limit=max_slots,
        )
        slots: list[Slot] = []
        for item in answer["Items"]:
            # An eventually consistent query may miss a slot that it shows a later one of: stop there.
            if _key_of(item)[1] != (slots[-1].next_seq if slots else seq):
                break
            try:
                slots.append(self._payloads.inlined(slot_from_item(item)))
            except (ClientError, BotoCoreError, CorruptSlot):
                if not slots:
                    raise
                break
            if slots[-1].object_key is not None:
                break  # megabytes: what holds a page in memory holds one such body at most
        return slots

    def _item_at(self, job_id: str, seq: int, *, consistent: bool = True) -> dict[str, Any] | None:
        answer = self._client.get_item(TableName=self._table, Key=_key(job_id, seq), ConsistentRead=consistent)
        return answer.get("Item")


def _key(job_id: str, seq: int) -> dict[str, Any]:
    return {"job_id": {"S": job_id}, "seq": {"N": str(seq)}}


def _key_of(item: Any) -> Key:
    return str(item["job_id"]["S"]), int(item["seq"]["N"])


def _batch(items: list[Any], unknown: frozenset[Key] = frozenset()) -> Batch:
    found: dict[Key, Slot] = {}
    corrupt: set[Key] = set()
    for item in items:
        try:
            found[_key_of(item)] = slot_from_item(item)
        except CorruptSlot:
            corrupt.add(_key_of(item))
    return Batch(found, unknown, frozenset(corrupt))
