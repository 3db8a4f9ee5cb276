"""Answers of the emulator that are made quickly: the same as moto's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from moto.core.serialize import ResponseSerializer

from graphjobs.local.quick_answers import quick_answers
from graphjobs.local.resources import TABLES
from graphjobs.testing.aws import client, empty_aws

KEY = {"job_id": {"S": "j"}, "seq": {"N": "1"}}
VALUES: dict[str, Any] = {
    "text": {"S": "a \u2028 b"},
    "empty": {"S": ""},
    "number": {"N": "-12.5"},
    "bytes": {"B": b"\x00\xff"},
    "true": {"BOOL": True},
    "false": {"BOOL": False},
    "null": {"NULL": True},
    "texts": {"SS": ["a", "b"]},
    "numbers": {"NS": ["1", "2"]},
    "list": {"L": [{"S": "a"}, {"N": "1"}, {"L": []}, {"M": {}}]},
    "map": {"M": {"S": {"N": "1"}, "of": {"M": {"maps": {"L": [{"BOOL": False}, {"NULL": True}]}}}}},
    "no items": {"L": []},
    "no members": {"M": {}},
}


def answers() -> list[Any]:
    """What moto answers about an item of all kinds: whole, in a page, as it was, and where a condition fails."""
    with empty_aws():
        dynamodb = client("dynamodb")
        dynamodb.create_table(TableName="events", **TABLES["events"])
        dynamodb.put_item(TableName="events", Item=KEY | VALUES)
        named = {"TableName": "events", "ExpressionAttributeValues": {":j": {"S": "j"}}}
        calls: list[Callable[[], Any]] = [
            lambda: dynamodb.get_item(TableName="events", Key=KEY)["Item"],
            lambda: dynamodb.query(KeyConditionExpression="job_id = :j", **named)["Items"],
            lambda: dynamodb.scan(TableName="events")["Items"],
            lambda: dynamodb.describe_table(TableName="events")["Table"]["KeySchema"],
            lambda: dynamodb.put_item(TableName="events", Item=KEY, ReturnValues="ALL_OLD")["Attributes"],
        ]
        return [call() for call in calls]


def test_each_answer_is_motos_own() -> None:
    expected = answers()
    with quick_answers():
        assert answers() == expected
    assert expected[0] == KEY | VALUES


def test_what_is_not_there_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else nothing would be gained, and nothing would tell."""
    asked: list[str] = []
    asking = ResponseSerializer.get_value

    def counting(serializer: ResponseSerializer, value: Any, key: str, shape: Any) -> Any:
        asked.append(key)
        return asking(serializer, value, key, shape)

    monkeypatch.setattr(ResponseSerializer, "get_value", counting)
    answers()
    assert "BS" in asked
    asked.clear()
    with quick_answers():
        answers()
    assert asked and not {"BS", "NS", "L"} & set(asked)
