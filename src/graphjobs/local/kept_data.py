"""``--data DIR``: what the emulator holds, kept in a file, so that the next instance has the jobs of this one.

Tables, objects and secrets are kept; messages are not, since they are only hints: the next instance sends one for each
job that is not over. Nobody holds a job when it starts, since all workers of the last instance are dead: leases end.
The file is written anew after changes, under a name of its own first, so that it is always whole.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from moto.dynamodb.models import dynamodb_backends
from moto.s3.models import s3_backends
from moto.secretsmanager.models import secretsmanager_backends

from graphjobs.local.resources import ACCOUNT, REGION

FILE: Final = "data.json.gz"
VERSION: Final = 1


class DataUnreadable(Exception):
    """The file is not one of ours, or of a version that is not known; the message is one line."""


class KeptData:
    """The file in `folder`; all methods want the emulator to itself."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE

    def save(self) -> None:
        """Write everything."""
        content = {"version": VERSION, "tables": _tables(), "objects": _objects(), "secrets": _secrets()}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".tmp")
        with gzip.open(fresh, "wt", encoding="utf-8", compresslevel=1) as file:
            json.dump(content, file, default=_text, separators=(",", ":"))
        fresh.replace(self._path)

    def load(self) -> list[str]:
        """Put everything back into tables and buckets that are there and empty; the ids of the jobs that go on.

        Raises:
            DataUnreadable: see there.
        """
        if not self._path.exists():
            return []
        try:
            with gzip.open(self._path, "rt", encoding="utf-8") as file:
                content = json.load(file)
            if content["version"] != VERSION:
                raise DataUnreadable(f"{self._path} is of another version ({content['version']}).")
            return list(_restored(content))
        except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
            raise DataUnreadable(f"{self._path} cannot be read ({error}): move it away to begin anew.") from error


def _restored(content: dict[str, Any]) -> Iterator[str]:
    tables = dynamodb_backends[ACCOUNT][REGION]
    for table, items in content["tables"].items():
        for item in items:
            active = "active" in item
            if active:
                item["lease_until"] = {"N": "0"}
            tables.put_item(table, item)
            if active:
                yield item["job_id"]["S"]
    objects = s3_backends[ACCOUNT]["aws"]
    for bucket, keys in content["objects"].items():
        for key, body in keys.items():
            objects.put_object(bucket, key, base64.b64decode(body))
    for name, value in content["secrets"].items():
        secretsmanager_backends[ACCOUNT][REGION].put_secret_value(name, value, "", "", ["AWSCURRENT"])


def _tables() -> dict[str, list[Any]]:
    tables = dynamodb_backends[ACCOUNT][REGION].tables
    return {name: [item.to_json()["Attributes"] for item in table.all_items()] for name, table in tables.items()}


def _objects() -> dict[str, dict[str, str]]:
    buckets = s3_backends[ACCOUNT]["aws"].buckets
    return {
        name: {key: base64.b64encode(found.value).decode() for key, found in bucket.keys.items()}
        for name, bucket in buckets.items()
    }


def _secrets() -> dict[str, str]:
    secrets = secretsmanager_backends[ACCOUNT][REGION]
    return {
        secret.name: str(secrets.get_secret_value(secret.name, "", "")["SecretString"])
        for secret in secrets.secrets.values()
    }


def _text(value: Any) -> str:
    """A binary attribute, in the form in which it comes over the wire."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"a {type(value).__name__}")
