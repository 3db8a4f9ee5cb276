"""Jobs of one project from request to end, by the functions as they are deployed, in a process of its own.

    python -m tests.unit.examples.production '["examples/memory/langgraph.json", [{"user": ..., "body": ...}]]'

Prints the log of each job, a JSON list of events per line. AWS is moto, in this process; all else is what a deployment
has: create_job's and the worker's handlers with the stores, the checkpoints, the log and the queue that they make.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from graphjobs.core import langgraph_json
from graphjobs.local.lambda_context import LambdaContext
from tests.support.api.calls import JSON, answer_of, claims_of, http_event
from tests.support.backend import Backend, backend


def main(config: str, jobs: list[dict[str, Any]]) -> None:
    """Run `jobs` one after the other; they share everything."""
    path = Path(config).resolve()
    with backend() as aws:
        names = ",".join(langgraph_json.read(path).names)
        os.environ.update(aws.environ, GRAPHJOBS_CONFIG=str(path), GRAPHJOBS_GRAPHS=names)
        for job in jobs:
            job_id = submit(job["user"], job["body"])
            work(aws)
            print(json.dumps(aws.events(job_id)), flush=True)


def submit(user: str, body: dict[str, Any]) -> str:
    """``POST /jobs``; the id of the job."""
    name, event = http_event("POST", "/jobs", json.dumps(body).encode(), {"content-type": JSON}, claims_of(user))
    handler = importlib.import_module(f"graphjobs.api.{name}").handler
    answer = answer_of(handler(event, LambdaContext(name, time.monotonic() + 29)))
    assert answer.status == 202, answer
    return str(answer.body["job_id"])


def work(aws: Backend) -> None:
    """Give the worker the messages of the queue until there is none."""
    from graphjobs.worker.handler import handler

    while messages := aws.messages():
        for message in messages:
            record = {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
                "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:jobs",
            }
            answer = handler({"Records": [record]}, LambdaContext("worker", time.monotonic() + 900))
            assert answer == {"batchItemFailures": []}, answer


if __name__ == "__main__":
    main(*json.loads(sys.argv[1]))
