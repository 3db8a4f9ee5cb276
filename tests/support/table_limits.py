"""What DynamoDB refuses whatever is stored: sizes, numbers of items, and placeholders that do not fit expressions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final

from botocore.exceptions import ClientError
from moto.dynamodb.parsing.reserved_keywords import ReservedKeywords

from tests.support.expressions import placeholders
from tests.support.faults import client_error

Item = Mapping[str, Any]

ITEM_BYTES: Final = 400 * 1024
PAGE_BYTES: Final = 1024 * 1024
TRANSACTION_BYTES: Final = 4 * 1024 * 1024
TRANSACTION_WRITES: Final = 100
BATCH_READS: Final = 100
BATCH_WRITES: Final = 25

_NUMBER: Final = 21
"""The most bytes that a number takes."""
_WORD: Final = re.compile(r"(?<![#:\w])[A-Za-z]\w*")
_SYNTAX: Final = frozenset({"ADD", "AND", "BETWEEN", "IN", "NOT", "OR", "REMOVE", "SET"})
_RESERVED: Final = frozenset(ReservedKeywords.get_reserved_keywords())
_EXPRESSIONS: Final = (
    "ConditionExpression",
    "FilterExpression",
    "KeyConditionExpression",
    "ProjectionExpression",
    "UpdateExpression",
)


def size_of(item: Item) -> int:
    """The bytes of an item, about as DynamoDB counts them: names and values."""
    return sum(map(len, item)) + sum(map(_value_size, item.values()))


def _value_size(value: Mapping[str, Any]) -> int:
    ((kind, inner),) = value.items()
    if kind == "S":
        return len(inner) if inner.isascii() else len(inner.encode())
    if kind == "N":
        return min(len(inner), _NUMBER)
    if kind == "B":
        return len(inner)
    if kind == "M":
        return 3 + size_of(inner)
    if kind == "L":
        return 3 + sum(map(_value_size, inner))
    return sum(map(len, inner)) if kind.endswith("S") else 1


def check_placeholders(asked: Mapping[str, Any]) -> None:
    """That expressions name just what is given.

    Raises:
        ClientError: a placeholder has no meaning, a meaning is never used, or a name is reserved.
    """
    names, values = asked.get("ExpressionAttributeNames", ()), asked.get("ExpressionAttributeValues", ())
    _check_placeholders((*names, *values), *map(asked.get, _EXPRESSIONS))


@cache
def _check_placeholders(given: tuple[str, ...], *asked: str | None) -> None:
    expressions = [text for text in asked if text is not None]
    for text in expressions:
        if reserved := _reserved(text):
            raise invalid(f"reserved words: {sorted(reserved)}")
    used = frozenset[str]().union(*map(placeholders, expressions))
    if used != {*given}:
        raise invalid(f"placeholders {sorted(used)}, given {sorted(given)}")


def _reserved(text: str) -> frozenset[str]:
    """The names in an expression that DynamoDB keeps for itself."""
    return frozenset(word for word in _WORD.findall(text) if word.upper() in _RESERVED) - _SYNTAX


def check_item(item: Item) -> int:
    """That it can be stored; gives its size in bytes.

    Raises:
        ClientError: it is too large.
    """
    size = size_of(item)
    if size > ITEM_BYTES:
        raise invalid("Item size has exceeded the maximum allowed size")
    return size


def check_transaction(items: Iterable[Item]) -> None:
    """That these can be stored together.

    Raises:
        ClientError: one of them is too large, or all together are.
    """
    if sum(map(check_item, items)) > TRANSACTION_BYTES:
        raise invalid("Collection size of items in transaction exceeded the limit")


def check_places(places: Iterable[Any], most: int) -> None:
    """That a call is of no more items than it may be, each of them once.

    Raises:
        ClientError: it is not so.
    """
    named = list(places)
    if not 1 <= len(named) <= most or len({*named}) < len(named):
        raise invalid(f"{len(named)} items, {len({*named})} of them different; {most} may be")


def invalid(why: str) -> ClientError:
    """A call that DynamoDB does not even try."""
    error = client_error("ValidationException")
    error.response["Error"]["Message"] = why
    return error
