"""Custom resource: on deletion, delete every object of a bucket. Runs on what Lambda's runtime brings along."""

import json
import urllib.request
from typing import Any

import boto3


def handler(event: dict[str, Any], context: Any) -> None:
    status, reason = "SUCCESS", "ok"
    try:
        if event["RequestType"] == "Delete":
            empty(boto3.client("s3"), event["ResourceProperties"]["Bucket"])
    except Exception as error:  # CloudFormation must get an answer, or it waits for an hour
        status, reason = "FAILED", f"{type(error).__name__}: {error}"
    answer(event, context, status, reason)


def empty(s3: Any, bucket: str) -> None:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        keys = [{"Key": item["Key"]} for item in page.get("Contents", [])]
        if keys:
            failed = s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True}).get("Errors")
            if failed:
                raise RuntimeError(f"{len(failed)} objects of {bucket} were not deleted: {failed[0]['Code']}")


def answer(event: dict[str, Any], context: Any, status: str, reason: str) -> None:
    body = {
        "Status": status,
        "Reason": f"{reason} (log stream {context.log_stream_name})",
        "PhysicalResourceId": event.get("PhysicalResourceId", event["LogicalResourceId"]),
        **{name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
    }
    request = urllib.request.Request(  # noqa: S310 -- CloudFormation's own address
        event["ResponseURL"], data=json.dumps(body).encode(), headers={"Content-Type": ""}, method="PUT"
    )
    urllib.request.urlopen(request, timeout=30).close()  # noqa: S310
