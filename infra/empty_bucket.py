"""Custom resource: on deletion, delete every object of a bucket. Runs on what Lambda's runtime brings along."""

from typing import Any

import boto3

from infra.custom_resource import answered


def handler(event: dict[str, Any], context: Any) -> None:
    if event["RequestType"] == "Delete":
        answered(event, context, lambda: empty(boto3.client("s3"), event["ResourceProperties"]["Bucket"]))
    else:
        answered(event, context, lambda: None)


def empty(s3: Any, bucket: str) -> None:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        keys = [{"Key": item["Key"]} for item in page.get("Contents", [])]
        if keys:
            failed = s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True}).get("Errors")
            if failed:
                raise RuntimeError(f"{len(failed)} objects of {bucket} were not deleted: {failed[0]['Code']}")
