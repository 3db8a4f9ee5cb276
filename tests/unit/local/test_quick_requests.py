"""Requests that do not go through Flask: answered as moto's server answers them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from typing import Any

import pytest
from moto.dynamodb.responses import DynamoHandler

from graphjobs.local.emulator import Dispatcher
from graphjobs.local.quick_requests import QuickRequests
from graphjobs.local.resources import TABLES
from graphjobs.testing.aws import empty_aws

KEY = {"job_id": {"S": "j"}, "seq": {"N": "1"}}
ITEM = KEY | {"text": {"S": "a \u2028 \ud55c"}, "map": {"M": {"list": {"L": [{"NULL": True}]}}}}
PUT = {"TableName": "events", "Item": ITEM}
ONCE = PUT | {"ConditionExpression": "attribute_not_exists(seq)"}

CALLS: list[tuple[str, Any]] = [
    ("CreateTable", {"TableName": "events", **TABLES["events"]}),
    ("PutItem", PUT),
    ("PutItem", ONCE | {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}),
    ("GetItem", {"TableName": "events", "Key": KEY}),
    ("GetItem", {"TableName": "events", "Key": KEY | {"seq": {"N": "2"}}}),
    ("GetItem", {"TableName": "absent", "Key": KEY}),
    ("GetItem", {"TableName": "events", "Key": {"seq": {"S": "1"}}}),
    ("TransactWriteItems", {"TransactItems": [{"Put": PUT}]}),
    ("TransactWriteItems", {"TransactItems": [{"Put": ONCE}]}),
    ("UpdateItem", {"TableName": "events", "Key": KEY, "UpdateExpression": "no expression"}),
    ("Scan", {"TableName": "events"}),
    ("ListTables", {}),
]
"""Operations and what they are given, one after the other: all that succeed or are refused in a way of their own."""

OF_BROWSERS = "Access-Control-Allow-Origin"
RANDOM = "x-amzn-requestid"


def environ(operation: str, body: Any, **other: str) -> dict[str, Any]:
    """A request as an SDK sends it."""
    sent = json.dumps(body).encode()
    credential = "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request, Signature=0"
    return {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "4566",
        "HTTP_HOST": "127.0.0.1:4566",
        "HTTP_AUTHORIZATION": credential,
        "HTTP_X_AMZ_TARGET": f"DynamoDB_20120810.{operation}",
        "CONTENT_TYPE": "application/x-amz-json-1.0",
        "CONTENT_LENGTH": str(len(sent)),
        "wsgi.input": io.BytesIO(sent),
        "wsgi.url_scheme": "http",
        **other,
    }


def answer(app: Any, request: dict[str, Any]) -> tuple[str, dict[str, str], Any]:
    """Status code, headers and body, without what differs each time or is for browsers."""
    started: list[Any] = []
    parts: Iterable[bytes] = app(request, lambda status, headers, error=None: started.append((status, headers)))
    body = json.loads(b"".join(parts))
    ((status, headers),) = started
    named = {name.lower(): value for name, value in headers if name not in (OF_BROWSERS, "Content-Length")}
    assert named.pop(RANDOM)
    if "TableDescription" in body:
        named.pop("x-amz-crc32")
        for name in ("TableId", "CreationDateTime"):
            body["TableDescription"].pop(name, None)
    return status.partition(" ")[0], named, body


def test_each_answer_is_that_of_motos_server() -> None:
    def answers(app: Any) -> list[Any]:
        with empty_aws():
            return [answer(app, environ(operation, body)) for operation, body in CALLS]

    expected = answers(Dispatcher())
    assert answers(QuickRequests(Dispatcher())) == expected
    refused = [body["__type"].rpartition("#")[2] for _, _, body in expected if "__type" in body]
    assert refused == [
        "ConditionalCheckFailedException",
        "ResourceNotFoundException",
        "ValidationException",
        "TransactionCanceledException",
        "ValidationException",
    ]


@pytest.mark.parametrize(
    ("other", "quick"),
    [
        ({}, True),
        ({"REQUEST_METHOD": "GET"}, False),
        ({"PATH_INFO": "/bucket"}, False),
        ({"HTTP_X_AMZ_TARGET": "DynamoDBStreams_20120810.ListStreams"}, False),
        ({"HTTP_X_AMZ_TARGET": "DynamoDB_20111205.ListTables"}, False),
        ({"HTTP_AUTHORIZATION": "AWS4-HMAC-SHA256 Credential=l/1/us-east-1/sqs/aws4_request"}, False),
        ({"HTTP_AUTHORIZATION": ""}, False),
    ],
)
def test_only_what_is_signed_for_dynamodb_goes_that_way(
    monkeypatch: pytest.MonkeyPatch, other: dict[str, str], quick: bool
) -> None:
    passed: list[str] = []
    monkeypatch.setattr(DynamoHandler, "dispatch", lambda *given: passed.append("handler") or (200, {}, "{}"))
    app = QuickRequests(lambda environ, start_response: passed.append("app") or [])
    list(app(environ("ListTables", {}, **other), lambda status, headers: None))
    assert passed == ["handler" if quick else "app"]
