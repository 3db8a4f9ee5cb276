"""Tables of the emulator that are read and written quickly: the same as moto's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.dynamodb.models.table import Table
from moto.dynamodb.parsing.expressions import UpdateExpressionParser  # type: ignore[attr-defined]

from graphjobs.local.quick_tables import quick_tables
from graphjobs.testing.aws import client, empty_aws

TABLE: dict[str, Any] = {
    "TableName": "t",
    "AttributeDefinitions": [
        {"AttributeName": "p", "AttributeType": "S"},
        {"AttributeName": "r", "AttributeType": "N"},
        {"AttributeName": "x", "AttributeType": "S"},
    ],
    "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "r", "KeyType": "RANGE"}],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by-x",
            "KeySchema": [{"AttributeName": "x", "KeyType": "HASH"}, {"AttributeName": "r", "KeyType": "RANGE"}],
            "Projection": {"ProjectionType": "ALL"},
        },
        {
            "IndexName": "by-number",
            "KeySchema": [{"AttributeName": "r", "KeyType": "HASH"}, {"AttributeName": "x", "KeyType": "RANGE"}],
            "Projection": {"ProjectionType": "ALL"},
        },
    ],
    "BillingMode": "PAY_PER_REQUEST",
}

QUERIES: list[dict[str, Any]] = [
    {"KeyConditionExpression": "p = :p"},
    {"KeyConditionExpression": "p = :p", "ScanIndexForward": False, "Limit": 3},
    {"KeyConditionExpression": "p = :p AND r > :n", "ConsistentRead": True},
    {"KeyConditionExpression": "p = :p AND r BETWEEN :n AND :m", "Select": "COUNT"},
    {"KeyConditionExpression": "p = :p", "ExclusiveStartKey": {"p": {"S": "b"}, "r": {"N": "9"}}},
    {"KeyConditionExpression": "p = :p", "FilterExpression": "x = :x", "Limit": 5},
    {"KeyConditionExpression": "p = :p", "FilterExpression": "size(body) > :n AND NOT attribute_exists(y)"},
    {"KeyConditionExpression": "p = :none"},
    {"KeyConditionExpression": "x = :x", "IndexName": "by-x"},
    {"KeyConditionExpression": "x = :x AND r <= :m", "IndexName": "by-x", "ScanIndexForward": False},
    {"KeyConditionExpression": "x = :x", "IndexName": "by-x", "Limit": 2},
    {
        "KeyConditionExpression": "x = :x",
        "IndexName": "by-x",
        "ExclusiveStartKey": {"p": {"S": "b"}, "r": {"N": "9"}, "x": {"S": "x1"}},
    },
    {"KeyConditionExpression": "r = :n", "IndexName": "by-number"},
    {"KeyConditionExpression": "x = :none", "IndexName": "by-x"},
    {"KeyConditionExpression": "p = :p", "IndexName": "no such index"},
]
"""Each is given those of `VALUES` that it names."""

UPDATES: list[dict[str, Any]] = [
    {"UpdateExpression": "SET a = :n, l = list_append(l, :l) REMOVE body ADD c :n DELETE s :s"},
    {"UpdateExpression": "SET a = if_not_exists(a, :n) + :m, d = c"},
    {"UpdateExpression": "SET l[1] = :x, l[7] = :x REMOVE l[0]"},
    {"UpdateExpression": "SET map.inner = :x, map.#n = :n", "ExpressionAttributeNames": {"#n": "size"}},
    {"UpdateExpression": "ADD c :n, s :s", "ConditionExpression": "c > :m"},
    {"UpdateExpression": "ADD c :n, s :s", "ConditionExpression": "attribute_exists(p) AND c < :m"},
    {"UpdateExpression": "SET a = :n, a = :m"},
    {"UpdateExpression": "SET a = :n SET b = :m"},
    {"UpdateExpression": "SET r = :n"},
    {"UpdateExpression": "SET x = :n"},
    {"UpdateExpression": "SET a = nowhere"},
    {"UpdateExpression": "SET nowhere.inner = :n"},
    {"UpdateExpression": "SET a = x + :n"},
    {"UpdateExpression": "SET a ="},
    {"UpdateExpression": "SET size = :n"},
]

VALUES: dict[str, Any] = {
    ":p": {"S": "b"},
    ":none": {"S": "nobody"},
    ":n": {"N": "2"},
    ":m": {"N": "10.5"},
    ":x": {"S": "x1"},
    ":l": {"L": [{"S": "new"}, {"M": {}}]},
    ":s": {"SS": ["one"]},
}


def asked(call: Callable[..., Any], **request: Any) -> Any:
    """The answer, or what is wrong."""
    text = " ".join(value for value in request.values() if isinstance(value, str))
    values = {name: value for name, value in VALUES.items() if name in text.replace(",", " ").replace(")", " ").split()}
    try:
        answer: dict[str, Any] = call(
            TableName="t", **request, **({"ExpressionAttributeValues": values} if values else {})
        )
    except ClientError as error:
        return error.response["Error"]
    answer.pop("ResponseMetadata")
    return answer


def answers() -> list[Any]:
    """What moto answers to all of them, each update made on an item that is there and on one that is not."""
    with empty_aws():
        dynamodb = client("dynamodb")
        dynamodb.create_table(**TABLE)
        for number in (10, 9, 2, 1.5, 30):
            for name in ("c", "b", "a"):
                item: dict[str, Any] = {"p": {"S": name}, "r": {"N": str(number)}, "body": {"B": b"\x00\xff"}}
                item |= {"l": {"L": [{"S": "first"}]}, "s": {"SS": ["one", "two"]}, "map": {"M": {"inner": {"N": "1"}}}}
                dynamodb.put_item(TableName="t", Item=item | ({"x": {"S": "x1"}} if number < 10 else {}))
        found = [asked(dynamodb.query, **query) for query in QUERIES]
        for update in UPDATES:
            for row in ("9", "99"):
                key = {"p": {"S": "b"}, "r": {"N": row}}
                found.append(asked(dynamodb.update_item, Key=key, ReturnValues="ALL_NEW", **update))
        return [*found, asked(dynamodb.query, **QUERIES[0]), asked(dynamodb.scan)]


def test_each_answer_is_motos_own() -> None:
    expected = answers()
    with quick_tables():
        assert answers() == expected
        assert answers() == expected, "what is kept of an expression is not changed by an update"
    refused = [answer["Code"] for answer in expected if "Code" in answer]
    assert 10 <= len(refused) < len(expected) - 15, refused


def test_what_cannot_matter_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else nothing would be gained, and nothing would tell."""
    looked_at, parsed = [], []
    looking, parsing = Table.all_items, UpdateExpressionParser.parse

    def all_items(table: Table) -> Any:
        looked_at.append(sum(len(rows) for rows in table.items.values()))
        return looking(table)

    def parse(parser: Any) -> Any:
        parsed.append(parser)
        return parsing(parser)

    monkeypatch.setattr(Table, "all_items", all_items)
    monkeypatch.setattr(UpdateExpressionParser, "parse", parse)
    answers()
    assert looked_at[0] == 15 and len(parsed) >= 2 * len(UPDATES)
    with quick_tables():
        looked_at.clear()
        answers()
        assert looked_at[0] == 5
        asked_first, of_index = looked_at[: len(QUERIES)], [query.get("IndexName") == "by-x" for query in QUERIES]
        assert max(found for found, is_of_it in zip(asked_first, of_index, strict=False) if is_of_it) < 15
        parsed.clear()
        answers()
        assert len(parsed) == 2, "but for the one that cannot be parsed"
