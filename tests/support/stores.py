"""Everything that is stored anywhere: what a deletion must leave nothing of."""

from __future__ import annotations

from typing import Any

from tests.support.backend import Backend

TABLES = {"jobs": ("pk",), "events": ("job_id", "seq"), "checkpoints": ("PK", "SK"), "store": ("PK", "SK")}

Stored = dict[tuple[str, ...], Any]
"""By where it is: a table and a key, or the bucket and an object."""


def stored(aws: Backend) -> Stored:
    """All items of all tables, and all objects."""
    listed = aws.dynamodb.list_tables()["TableNames"]
    assert set(listed) == set(TABLES), "a table that deletion knows nothing of"
    found: Stored = {}
    for table, keys in TABLES.items():
        for page in aws.dynamodb.get_paginator("scan").paginate(TableName=table):
            for item in page["Items"]:
                found[table, *(str(next(iter(item[key].values()))) for key in keys)] = item
    for bucket in aws.s3.list_buckets()["Buckets"]:
        for page in aws.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket["Name"]):
            for each in page.get("Contents", []):
                found["bucket", each["Key"]] = each["ETag"]
    return found


def empty(aws: Backend, of: str = "") -> None:
    """Take away what has `of` in its key; all of it, if that is not given."""
    for where in stored(aws):
        place, *key = where
        if not any(of in part for part in key):
            continue
        if place == "bucket":
            aws.s3.delete_object(Bucket=aws.settings.payload_bucket, Key=key[0])
        else:
            names = TABLES[place]
            values = [{"N": part} if name == "seq" else {"S": part} for name, part in zip(names, key, strict=True)]
            aws.dynamodb.delete_item(TableName=place, Key=dict(zip(names, values, strict=True)))
