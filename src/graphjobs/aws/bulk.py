"""Many items of DynamoDB, which it gives and takes in parts: pages, and batches of which it may leave some.

What fails for a moment is tried again, by botocore and then here, so each call may be made twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from graphjobs.aws.clients import is_transient
from graphjobs.aws.retry import Retry

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

T = TypeVar("T")

PATIENCE: Final = Retry(tries=10, seconds=30)
BATCH_GET: Final = 100
BATCH_WRITE: Final = 25


class BackendUnavailable(RuntimeError):
    """DynamoDB or S3 has been failing for longer than we try; what was asked may be asked again."""


def persistently(call: Callable[[], T]) -> T:
    """The answer to `call`, in which what fails for a moment is tried again.

    Raises:
        BackendUnavailable: it failed for long.
    """
    failure: Exception | None = None
    for _ in PATIENCE:
        try:
            return call()
        except (ClientError, BotoCoreError) as error:
            if not is_transient(error):
                raise
            failure = error
    raise BackendUnavailable(str(failure)) from failure


def queried(query: Callable[..., Any], request: Mapping[str, Any]) -> Iterator[Any]:
    """The items of all pages of a query or scan; `query` is the client's method, or calls it."""
    more: dict[str, Any] = {}
    while True:
        answer = query(**request, **more)
        yield from answer["Items"]
        if "LastEvaluatedKey" not in answer:
            return
        more = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


def got(client: DynamoDBClient, table: str, keys: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The items at `keys`, each named once, as far as there are any, in no order; read consistently."""
    for some in _batches(keys, BATCH_GET):
        request = {table: {"Keys": some, "ConsistentRead": True}}
        for answer in _until_taken(lambda left: client.batch_get_item(RequestItems=left), request):
            yield from answer["Responses"].get(table, [])


def delete(client: DynamoDBClient, table: str, keys: Iterable[Mapping[str, Any]]) -> int:
    """Delete the items at `keys`; returns how many these were.

    Raises:
        BackendUnavailable, ClientError, BotoCoreError: as DynamoDB answers; some may be deleted.
    """
    number = 0
    for some in _batches(keys, BATCH_WRITE):
        request = {table: [{"DeleteRequest": {"Key": key}} for key in some]}
        for _ in _until_taken(lambda left: client.batch_write_item(RequestItems=left), request):
            pass
        number += len(some)
    return number


def _until_taken(send: Callable[[Any], Any], request: Any) -> Iterator[Any]:
    """The answers to a batch, of which DynamoDB takes what it has capacity for; `send` again what it has left."""
    for _ in PATIENCE:
        answer = persistently(partial(send, request))
        yield answer
        request = answer.get("UnprocessedKeys") or answer.get("UnprocessedItems")
        if not request:
            return
    raise BackendUnavailable("A batch was not taken whole.")


def _batches(keys: Iterable[Mapping[str, Any]], size: int) -> Iterator[list[Mapping[str, Any]]]:
    left = iter(keys)
    while some := list(islice(left, size)):
        yield some
