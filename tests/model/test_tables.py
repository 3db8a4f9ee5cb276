"""The tables in this process against moto's: the same calls are answered alike, and leave the same items."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import settings
from moto.dynamodb.models import dynamodb_backends

from graphjobs.core.settings import Settings
from graphjobs.local.resources import ACCOUNT, REGION, TABLES
from tests.model.expiry import THREAD, ExpiryMachine
from tests.model.keeping import DAY, Keeping
from tests.model.machine import SETTINGS, JobMachine
from tests.model.runs import run
from tests.support.backend import backend
from tests.support.tables import MemoryTables

Answer = tuple[str, Any]


class Twin:
    """A client that asks both, and gives what the tables in this process say."""

    meta: Any = None

    def __init__(self, tables: MemoryTables, other: Any) -> None:
        self._tables = tables
        self._other = other
        self.calls: set[str] = set()

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(**asked: Any) -> Any:
            self.calls.add(operation)
            error = None
            try:
                answer = getattr(self._tables, operation)(**asked)
            except ClientError as raised:
                answer, error = None, raised
            assert _said(lambda: getattr(self._other, operation)(**asked)) == (
                _refused(error) if error else _plain(answer)
            ), (operation, asked)
            if error is not None:
                raise error
            return answer

        return call


@pytest.fixture
def twin() -> Iterator[tuple[ExpiryMachine, Twin]]:
    made: list[Twin] = []
    with backend() as aws:

        def client(tables: MemoryTables) -> Any:
            made.append(Twin(tables, aws.dynamodb))
            return made[0]

        machine = ExpiryMachine()
        machine.longest = 48
        named = Settings(retention_seconds=DAY, thread_retention_seconds=DAY, max_timeout_seconds=172_800)
        machine.keeping = Keeping(named, client)
        yield machine, made[0]
        for table, keys in TABLES.items():
            there = {_place(item, keys): item for item in aws.dynamodb.scan(TableName=table)["Items"]}
            assert there == {_place(item, keys): item for item in machine.keeping.items.all(table)}, table
        machine._patches.close()


def test_they_are_as_those_of_moto(twin: tuple[ExpiryMachine, Twin]) -> None:
    """Given a history with an interrupt, an answer, a fork, jobs that wait, a cancel, and a zombie that writes late."""
    machine, client = twin
    machine.submit(0, "say", "enqueue", short=True, after=0, steps=2, end="asks")
    machine.submit(0, "answer", "enqueue", short=True, after=0, steps=1, end="")
    machine.submit(0, "say", "enqueue", short=True, after=0, steps=0, end="")
    machine.submit(1, "fork", "rollback", short=False, after=30, steps=0, end="")
    machine.submit(0, "alone", "enqueue", short=True, after=0, steps=1, end="asks")
    machine.worker_acts(0, 0, "sleep")
    machine.hours_pass(1, outage=False)
    machine.claim(1, 1, "well")
    machine.worker_acts(0, 1, "well")
    machine.cancel(3, rollback=True)
    machine.hours_pass(30, outage=False)
    machine.all_is_there()
    assert machine.keeping.threads.get(THREAD) is not None
    keys = {"PK": {"S": "none"}, "SK": {"S": "none"}}
    client.batch_get_item(RequestItems={"checkpoints": {"Keys": [keys]}})
    client.delete_item(TableName="checkpoints", Key=keys, ReturnValues="ALL_OLD")
    for start in ("first", "second"):
        client.update_item(
            TableName="jobs",
            Key={"pk": {"S": "none"}},
            UpdateExpression="SET expires_at = :one, #start = if_not_exists(#start, :start) REMOVE waiting",
            ExpressionAttributeNames={"#start": "start"},
            ExpressionAttributeValues={":one": {"N": "1"}, ":start": {"S": start}},
            ReturnValues="ALL_NEW",
        )
    wanted = {"put_item", "get_item", "update_item", "transact_write_items", "query", "batch_get_item", "delete_item"}
    assert client.calls == wanted


def test_they_are_as_those_of_moto_whatever_fails_and_whoever_is_first() -> None:
    """Given random histories, with faults and races."""
    calls: set[str] = set()
    with backend() as aws:

        class OnBoth(JobMachine):
            @staticmethod
            def client(tables: MemoryTables) -> Any:
                for table in dynamodb_backends[ACCOUNT][REGION].tables.values():
                    table.items.clear()
                twin = Twin(tables, aws.dynamodb)
                twin.calls = calls
                return twin

        run(OnBoth, settings(SETTINGS, max_examples=4), 0)
    assert calls >= {"put_item", "get_item", "update_item", "transact_write_items", "query"}


def _said(call: Callable[[], Any]) -> Any:
    try:
        return _plain(call())
    except ClientError as error:
        return _refused(error)


def _plain(answer: dict[str, Any]) -> dict[str, Any]:
    """What our stores look at; lists in no order but that of a query."""
    told = {name: answer[name] for name in ("Item", "Attributes", "Items", "Count") if answer.get(name) is not None}
    responses = answer.get("Responses", {})
    told["Responses"] = {table: sorted(map(str, items)) for table, items in responses.items()}
    return told


def _refused(error: ClientError) -> list[Any]:
    reasons: Any = error.response.get("CancellationReasons", [])
    return [error.response["Error"]["Code"], [reason["Code"] for reason in reasons]]


def _place(item: Any, keys: Any) -> tuple[str, ...]:
    return tuple(str(next(iter(item[key["AttributeName"]].values()))) for key in keys["KeySchema"])
