"""What of the emulator is kept, and when: a stream that polls an idle job writes no file every two seconds."""

from __future__ import annotations

from typing import Any

import pytest

from graphjobs.local.emulator import OneAtATime, changes


def request(operation: str = "", method: str = "POST") -> dict[str, Any]:
    target = {"HTTP_X_AMZ_TARGET": f"DynamoDB_20120810.{operation}"} if operation else {}
    return {"REQUEST_METHOD": method, **target}


@pytest.mark.parametrize("operation", ["GetItem", "BatchGetItem", "Query", "Scan", "DescribeTable", "GetSecretValue"])
def test_a_read_changes_nothing(operation: str) -> None:
    assert not changes(request(operation))
    assert not changes(request(method="GET"))
    assert not changes(request(method="HEAD"))


@pytest.mark.parametrize(
    "operation", ["PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem", "CreateTable"]
)
def test_anything_else_may(operation: str) -> None:
    assert changes(request(operation))
    assert changes(request(method="PUT"))
    assert changes(request(method="DELETE"))


def test_it_is_kept_once_per_change() -> None:
    class Data:
        saves = 0

        def save(self) -> None:
            self.saves += 1

    data: Any = Data()
    app = OneAtATime(lambda environ, start_response: [b""])
    for operation, saves in (("GetItem", 0), ("PutItem", 1), ("Query", 1), ("UpdateItem", 2)):
        app(request(operation), None)
        app.save(data)
        app.save(data)
        assert data.saves == saves
