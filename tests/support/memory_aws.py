"""DynamoDB for boto3's clients in this process: tables in memory in moto's place, which takes ten times as long.

What a client does before and after a call is botocore's own: it looks at the parameters, writes and reads the values,
and tells its events.
"""

from __future__ import annotations

import json
import threading
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, Final
from unittest.mock import patch

from botocore import xform_name
from botocore.endpoint import Endpoint
from botocore.exceptions import ClientError

from tests.support.tables import MemoryTables

OPERATIONS: Final = frozenset(
    f"{name}_item" for name in ("get", "put", "update", "delete", "batch_get", "batch_write")
) | {"transact_write_items", "query", "scan"}
"""What the tables answer. The rest, such as ``list_tables``, is moto's."""


@contextmanager
def tables_in_memory() -> Iterator[MemoryTables]:
    """Empty tables, which answer all calls of this process to DynamoDB. One call at a time, as moto takes them here."""
    tables, lock, sending = MemoryTables(), threading.RLock(), Endpoint.make_request

    def make_request(endpoint: Endpoint, operation: Any, request: Any) -> Any:
        name = xform_name(operation.name)
        if operation.service_model.service_name != "dynamodb" or name not in OPERATIONS:
            return sending(endpoint, operation, request)
        asked = json.loads(request["body"], object_hook=_with_bytes)
        status = 200
        try:
            with lock:
                answer = getattr(tables, name)(**asked)
        except ClientError as error:
            status, answer = 400, dict(error.response)
        return SimpleNamespace(status_code=status), answer | {"ResponseMetadata": {"HTTPStatusCode": status}}

    with patch.object(Endpoint, "make_request", make_request):
        yield tables


def _with_bytes(value: dict[str, Any]) -> dict[str, Any]:
    """An attribute's value as boto3 gives it: on the wire, bytes are text."""
    if len(value) == 1 and isinstance(text := value.get("B"), str):
        return {"B": b64decode(text)}
    return value
