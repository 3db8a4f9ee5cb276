"""Calls that no history of the model makes, in memory and on moto: what they answer, and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from graphjobs.testing import aws
from tests.support.memory_aws import tables_in_memory

OWNER = {"S": "user-1"}
LARGE = {"S": "x" * 300_000}
TOO_LARGE = {"S": "x" * 410_000}
NAMES = {"ExpressionAttributeNames": {"#owner": "owner"}}
JOB = {":job": {"S": "job"}}
ONE = {":one": {"N": "1"}}
UNTOLD = {"ResponseMetadata", "ConsumedCapacity"}


def key(name: str) -> dict[str, Any]:
    return {"pk": {"S": name}}


def slot(seq: int, **more: Any) -> dict[str, Any]:
    return {"job_id": {"S": "job"}, "seq": {"N": str(seq)}, **more}


def row(number: int, **more: Any) -> dict[str, Any]:
    return {**key(f"job#{number}"), "owner": OWNER, "created": {"S": f"{number:03}"}, "status": {"S": "queued"}, **more}


THIRD = {**key("job#3"), "owner": OWNER, "created": {"S": "003"}}


def put(table: str, item: Any, **asked: Any) -> tuple[str, dict[str, Any]]:
    return "put_item", {"TableName": table, "Item": item, **asked}


def update(expression: str, **asked: Any) -> tuple[str, dict[str, Any]]:
    call = {"TableName": "jobs", "Key": key("job#1"), "UpdateExpression": expression, "ReturnValues": "ALL_NEW"}
    return "update_item", call | asked


def transaction(*writes: tuple[str, dict[str, Any]], **asked: Any) -> tuple[str, dict[str, Any]]:
    return "transact_write_items", {
        "TransactItems": [{kind: {"TableName": "jobs"} | it} for kind, it in writes]
    } | asked


def query(**asked: Any) -> tuple[str, dict[str, Any]]:
    call = {"TableName": "events", "KeyConditionExpression": "job_id = :job"}
    return "query", call | {"ExpressionAttributeValues": JOB} | asked


def of_owner(**asked: Any) -> tuple[str, dict[str, Any]]:
    index = {"TableName": "jobs", "IndexName": "by_owner", "KeyConditionExpression": "#owner = :owner"}
    return "query", index | NAMES | {"ExpressionAttributeValues": {":owner": OWNER}} | asked


CALLS = [
    *(put("jobs", row(number, started_at={"N": "5"}, hidden={"B": b"\x00"})) for number in range(5)),
    *(put("events", slot(seq, body={"B": b"\x00\xff"}, more={"L": [OWNER, {"M": {"B": OWNER}}]})) for seq in range(9)),
    # Pages: by number, on an index, and by size.
    query(Limit=3),
    query(Limit=3, ExclusiveStartKey=slot(5)),
    query(Limit=3, ExclusiveStartKey=slot(5), ScanIndexForward=False),
    query(KeyConditionExpression="job_id = :job AND seq >= :seq", ExpressionAttributeValues=JOB | {":seq": {"N": "7"}}),
    query(ProjectionExpression="job_id, body"),
    query(Select="COUNT"),
    of_owner(Limit=2, ScanIndexForward=False),
    of_owner(Limit=2, ScanIndexForward=False, ExclusiveStartKey=THIRD),
    of_owner(ExpressionAttributeValues={":owner": {"S": "nobody"}}),
    *(put("events", slot(seq, body=LARGE)) for seq in range(100, 105)),
    query(),
    query(ExclusiveStartKey=slot(101)),
    (
        "scan",
        {
            "TableName": "jobs",
            "FilterExpression": "#owner = :owner OR begins_with(pk, :none)",
            "ExpressionAttributeNames": {"#owner": "owner"},
            "ExpressionAttributeValues": {":owner": OWNER, ":none": {"S": "none"}},
            "ProjectionExpression": "pk",
        },
    ),
    # Updates.
    update("ADD opens :one", ExpressionAttributeValues=ONE),
    update("ADD opens :one SET started_at = started_at + :one", ExpressionAttributeValues=ONE),
    update(
        "SET started_at = if_not_exists(started_at, :one), tally = if_not_exists(tally, :one) REMOVE opens",
        ExpressionAttributeValues=ONE,
    ),
    update(
        "SET tally = :one",
        ConditionExpression="(tally = :one OR tally > :two) AND attribute_exists(pk)",
        ExpressionAttributeValues=ONE | {":two": {"N": "2"}},
    ),
    update(
        "SET tally = :one",
        ConditionExpression="tally > :one",
        ExpressionAttributeValues=ONE,
        ReturnValuesOnConditionCheckFailure="ALL_OLD",
    ),
    # Many at once.
    transaction(
        ("Put", {"Item": row(7)}),
        ("Delete", {"Key": key("job#0")}),
        ("ConditionCheck", {"Key": key("job#1"), "ConditionExpression": "attribute_exists(pk)"}),
    ),
    transaction(
        ("Put", {"Item": row(8)}),
        ("ConditionCheck", {"Key": key("job#9"), "ConditionExpression": "attribute_exists(pk)"}),
    ),
    transaction(("Put", {"Item": row(8)}), ("Delete", {"Key": key("job#8")})),
    transaction(("Put", {"Item": row(8)}), ("Put", {"Item": row(9, body=TOO_LARGE)})),
    (
        "batch_write_item",
        {"RequestItems": {"events": [{"DeleteRequest": {"Key": slot(1)}}, {"PutRequest": {"Item": slot(50)}}]}},
    ),
    ("batch_write_item", {"RequestItems": {"events": [{"DeleteRequest": {"Key": slot(1)}}] * 2}}),
    (
        "batch_get_item",
        {
            "RequestItems": {
                "events": {"Keys": [slot(2), slot(1)], "ConsistentRead": True},
                "jobs": {"Keys": [key("job#1")], "ProjectionExpression": "pk"},
            }
        },
    ),
    ("batch_get_item", {"RequestItems": {"events": {"Keys": [slot(2), slot(2)]}}}),
    ("batch_get_item", {"RequestItems": {"events": {"Keys": [slot(n) for n in range(101)]}}}),
    # What does not fit.
    put("jobs", row(1, body=TOO_LARGE)),
    of_owner(ConsistentRead=True),
    update("SET tally = :none"),
    update("SET status = :one", ExpressionAttributeValues=ONE),  # a reserved word
    update("SET tally = :one", ExpressionAttributeValues=ONE | JOB),
]

ONLY_IN_MEMORY = [
    query(ExpressionAttributeValues=JOB | ONE),
    query(FilterExpression="status = :job"),
    ("batch_write_item", {"RequestItems": {"events": [{"DeleteRequest": {"Key": slot(n)}} for n in range(26)]}}),
    transaction(*(("Put", {"Item": row(number, body=LARGE)}) for number in range(14))),
]
"""What DynamoDB refuses, and moto takes."""


def test_they_are_answered_and_refused_as_by_moto() -> None:
    with aws.emulated_aws():
        client = aws.client("dynamodb")
        on_moto = [said(client, *call) for call in CALLS]
        with tables_in_memory():
            in_memory = [said(client, *call) for call in CALLS]
    for call, one, other in zip(CALLS, in_memory, on_moto, strict=True):
        assert one == other, str(call)[:500]


@pytest.mark.parametrize("call", ONLY_IN_MEMORY, ids=["unused", "reserved", "batch", "transaction"])
def test_what_dynamodb_refuses_is_refused(call: tuple[str, dict[str, Any]]) -> None:
    with aws.emulated_aws(), tables_in_memory() as tables:
        assert said(aws.client("dynamodb"), *call) == ("ValidationException", [], None)
    assert not any(items for table in tables.items.values() for items in table.values())


def said(client: Any, operation: str, asked: dict[str, Any]) -> Any:
    try:
        answer = getattr(client, operation)(**asked)
    except ClientError as error:
        told: Any = error.response
        reasons = [(reason["Code"], reason.get("Item")) for reason in told.get("CancellationReasons", [])]
        return told["Error"]["Code"], reasons, told.get("Item")
    return {
        name: inner for name, inner in answer.items() if inner and name not in ("ResponseMetadata", "ConsumedCapacity")
    }
