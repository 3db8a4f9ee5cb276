"""Transactions of the emulator: all or nothing, and nothing that they do not name is touched or copied."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.dynamodb.models.table import Table

from tests.support.backend import Backend, backend

NEVER = "attribute_exists(job_id) AND attribute_not_exists(job_id)"


@pytest.fixture
def aws() -> Iterator[Backend]:
    with backend() as fresh:
        yield fresh


def put(seq: int, text: str, **more: Any) -> dict[str, Any]:
    item = {"job_id": {"S": "j"}, "seq": {"N": str(seq)}, "text": {"S": text}}
    return {"TableName": "events", "Item": item, **more}


def update(text: str) -> dict[str, Any]:
    return {
        "TableName": "jobs",
        "Key": {"pk": {"S": "row"}},
        "UpdateExpression": "SET #t = :t",
        "ExpressionAttributeNames": {"#t": "text"},
        "ExpressionAttributeValues": {":t": {"S": text}},
    }


def stored(aws: Backend) -> list[Any]:
    return [aws.dynamodb.scan(TableName=name)["Items"] for name in ("jobs", "events")]


def test_a_transaction_that_fails_leaves_everything_as_it_was(aws: Backend) -> None:
    aws.dynamodb.put_item(TableName="jobs", Item={"pk": {"S": "row"}, "text": {"S": "before"}})
    aws.dynamodb.put_item(**put(1, "first"))
    before = stored(aws)
    for last in (
        put(1, "other", ConditionExpression="attribute_not_exists(seq)"),
        put(3, "x", ConditionExpression=NEVER),
    ):
        with pytest.raises(ClientError, match="ConditionalCheckFailed"):
            aws.dynamodb.transact_write_items(
                TransactItems=[{"Update": update("after")}, {"Put": put(2, "new")}, {"Put": last}]
            )
        assert stored(aws) == before


def test_a_transaction_that_succeeds_stays(aws: Backend) -> None:
    aws.dynamodb.put_item(TableName="jobs", Item={"pk": {"S": "row"}, "text": {"S": "before"}})
    aws.dynamodb.transact_write_items(TransactItems=[{"Update": update("after")}, {"Put": put(1, "new")}])
    assert stored(aws) == [[{"pk": {"S": "row"}, "text": {"S": "after"}}], [put(1, "new")["Item"]]]


def test_no_table_is_copied(aws: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[object] = []
    deepcopy = copy.deepcopy

    def watched(value: Any, *memo: Any) -> Any:
        if isinstance(value, Table):
            made = deepcopy(value, *memo)
            copied.append(made is not value)
            return made
        return deepcopy(value, *memo)

    monkeypatch.setattr(copy, "deepcopy", watched)
    aws.dynamodb.transact_write_items(TransactItems=[{"Put": put(1, "new")}])
    assert copied == [False]
