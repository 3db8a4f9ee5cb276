"""moto's DynamoDB transactions, rolled back item by item.

moto copies whole tables before each transaction and puts the copies back when it fails. With some thousand slots in a
table that takes longer than all the rest of a job, and under threads it undoes what others have written meanwhile.
Here only the items that a transaction names are kept and put back.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final
from unittest.mock import patch

from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table

Restore = Callable[[], object]

_copying: Final = DynamoDBBackend.transact_write_items


@contextmanager
def rolled_back_by_item() -> Iterator[None]:
    """Within it, transactions are so; moto must be given one request at a time."""
    with patch.object(DynamoDBBackend, "transact_write_items", _transact):
        yield


def _transact(backend: DynamoDBBackend, transact_items: list[dict[str, Any]]) -> None:
    before = [
        _kept(backend.tables[operation["TableName"]], operation.get("Key") or operation["Item"])
        for item in transact_items
        for operation in item.values()
        if operation.get("TableName") in backend.tables
    ]
    try:
        with patch.object(Table, "__deepcopy__", lambda table, memo: table, create=True):
            _copying(backend, transact_items)
    except Exception:
        for restore in before:
            restore()
        raise


def _kept(table: Table, key: dict[str, Any]) -> Restore:
    """What puts the item under `key` back as it is now."""
    rows: dict[DynamoType, Any] = table.items
    name = DynamoType(key[table.hash_key_attr])
    if table.range_key_attr is not None:
        rows, name = rows[name], DynamoType(key[table.range_key_attr])
    if name not in rows:
        return lambda: rows.pop(name, None)
    kept = copy.deepcopy(rows[name])

    def restore() -> None:
        rows[name] = kept

    return restore
