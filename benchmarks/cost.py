"""What 1,000 chat jobs cost on AWS, all but the model: 500 tokens in 10 s, one viewer.

One job is run for real, function by function, in this process on moto; every AWS call is counted and its units
are computed from the sizes of its items (moto's own ConsumedCapacity is always 1). Times are those that a
function is busy or waits. Prices are those of us-east-1, arm64, on demand, in November 2026's public list; put
your region's in `Prices`.
"""

from __future__ import annotations

import json
import math
import os
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from boto3.dynamodb.types import TypeSerializer

from benchmarks.measure import table
from infra.config import Config

JOBS = 1000
TOKENS = 500
SECONDS = 10.0
INDEX_UNITS = 2
"""Of a change of the job row: its entry in the sparse index moves, one delete and one put."""
DEPLOYED = Config()
WORKER_MB, STREAM_MB, API_MB = DEPLOYED.worker_memory_mb, DEPLOYED.stream_memory_mb, DEPLOYED.api_memory_mb
API_SECONDS = 0.03
"""Of a warm create_job on Lambda: two AWS calls; an assumption, since moto's times say nothing."""


KINDS = frozenset({"S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS"})


@dataclass(frozen=True)
class Prices:
    """US dollars."""

    write_unit: float = 0.625e-6
    read_unit: float = 0.125e-6
    sqs_request: float = 0.40e-6
    api_request: float = 1.00e-6
    invocation: float = 0.20e-6
    gb_second: float = 13.3334e-6


@dataclass
class Meter:
    """Counts the AWS calls of a boto3 session, and the DynamoDB units that they are billed."""

    calls: Counter[str] = field(default_factory=Counter)
    write_units: Counter[str] = field(default_factory=Counter)
    read_units: float = 0.0
    _consistent: dict[int, bool] = field(default_factory=dict)

    def watch(self) -> None:
        """Count what every client made from now on does."""
        boto3.setup_default_session(region_name=os.environ["AWS_DEFAULT_REGION"])
        session: Any = boto3.DEFAULT_SESSION
        self.attach(session.events)

    def attach(self, events: Any) -> None:
        """Count what one session or client does."""
        events.register("provide-client-params.*.*", self._sent)
        events.register("after-call.*.*", self._answered)

    def _sent(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        operation = model.name
        self.calls[f"{model.service_model.service_name}:{operation}"] += 1
        self._consistent[threading.get_ident()] = bool(params.get("ConsistentRead"))
        if operation == "PutItem":
            self._write(params["TableName"], params["Item"])
        elif operation == "UpdateItem":
            self.write_units[params["TableName"]] += 1 + INDEX_UNITS
        elif operation == "BatchWriteItem":
            for name, requests in params["RequestItems"].items():
                for request in requests:
                    self._write(name, request.get("PutRequest", {}).get("Item", {}))
        elif operation == "TransactWriteItems":
            for item in params["TransactItems"]:
                ((kind, action),) = item.items()
                if kind == "Put":
                    self._write(action["TableName"], action["Item"], factor=2)
                elif kind == "Update":
                    self.write_units[action["TableName"]] += 2 + INDEX_UNITS

    def _write(self, name: str, item: dict[str, Any], factor: int = 1) -> None:
        indexed = INDEX_UNITS if "due_at" in item else 0
        self.write_units[name] += factor * math.ceil(size_of(item) / 1024) + indexed

    def _answered(self, model: Any, parsed: dict[str, Any], **_: Any) -> None:
        if model.service_model.service_name != "dynamodb":
            return
        consistent = self._consistent.get(threading.get_ident(), False)
        if model.name == "GetItem":
            self.read_units += read_units([parsed.get("Item", {})], consistent=consistent)
        elif model.name == "BatchGetItem":
            found = [item for items in parsed.get("Responses", {}).values() for item in items]
            self.read_units += max(0.5, read_units(found, consistent=consistent))
        elif model.name == "Query":
            self.read_units += read_units([{"all": {"L": [{"M": i} for i in parsed["Items"]]}}], consistent=consistent)


def size_of(item: dict[str, Any]) -> int:
    """About what DynamoDB bills an item as, in bytes: names and values."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: Any) -> int:
    if not (isinstance(value, dict) and len(value) == 1 and next(iter(value)) in KINDS):
        return _value_size(TypeSerializer().serialize(value))
    ((kind, content),) = value.items()
    if kind == "S":
        return len(content.encode())
    if kind == "N":
        return len(str(content)) // 2 + 2
    if kind == "B":
        return len(bytes(content))
    if kind == "L":
        return 3 + sum(1 + _value_size(item) for item in content)
    if kind == "M":
        return 3 + sum(1 + len(name.encode()) + _value_size(item) for name, item in content.items())
    return 1


def read_units(items: list[dict[str, Any]], *, consistent: bool) -> float:
    """Read units of point reads."""
    units = sum(max(1, math.ceil(size_of(item) / 4096)) for item in items)
    return units * (1.0 if consistent else 0.5)


def run_one_job(meter: Meter) -> dict[str, float]:
    """Run one job, function by function; returns the seconds that each was busy."""
    from tests.support.backend import backend  # its tables are those that the functions expect

    graphs = Path(__file__).parent / "graphs" / "langgraph.json"
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    with backend() as aws:
        os.environ.update(aws.environ, GRAPHJOBS_GRAPHS="answer", GRAPHJOBS_CONFIG=str(graphs))
        meter.watch()
        from functions.create_job.model import JobRequest
        from functions.create_job.service import Submission
        from functions.stream.app import create_app_from_env
        from functions.worker.handler import worker
        from graphjobs import aws as clients
        from graphjobs.job_store import JobStore
        from graphjobs.queue import JobQueue
        from graphjobs.settings import Settings

        settings = Settings.from_env(os.environ)
        submission = Submission(
            JobStore(clients.dynamodb(), "jobs"), JobQueue(clients.sqs(), settings.queue_url), settings
        )
        the_worker = worker()
        meter.attach(the_worker.saver.client.meta.events)
        before = Counter(meter.calls)
        job, _ = submission.submit("user-1", JobRequest(query="?", graph="answer"), None)
        seconds = {}
        done = threading.Thread(target=_follow, args=(create_app_from_env(), settings, job, seconds))
        done.start()
        message = aws.messages()[0]
        record = {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"],
        }
        began = time.perf_counter()
        the_worker.process(record, 900_000)
        seconds["worker"] = time.perf_counter() - began
        done.join()
        meter.calls.subtract(before)
        meter.calls["sqs:ReceiveMessage"] += 1
        meter.calls["sqs:DeleteMessage"] += 1
    return seconds


def _follow(app: Any, settings: Any, job: Any, seconds: dict[str, float]) -> None:
    import asyncio

    import httpx

    from graphjobs.stream_url import stream_urls

    async def follow() -> None:
        url = stream_urls(settings).url(job)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), timeout=60) as http:
            answer = await http.get(url)
        if answer.status_code != 200 or "event: done" not in answer.text:
            raise RuntimeError(f"the stream failed: {answer.status_code}")

    began = time.perf_counter()
    asyncio.run(follow())
    seconds["stream"] = time.perf_counter() - began


def main() -> None:
    """Print the tables."""
    meter, prices = Meter(), Prices()
    seconds = run_one_job(meter)
    writes = sum(meter.write_units.values())
    sqs = sum(count for call, count in meter.calls.items() if call.startswith("sqs:"))
    compute = seconds["worker"] * WORKER_MB / 1024 + seconds["stream"] * STREAM_MB / 1024 + API_SECONDS * API_MB / 1024
    parts = {
        "Lambda: worker": JOBS * (seconds["worker"] * WORKER_MB / 1024 * prices.gb_second + prices.invocation),
        "Lambda: stream": JOBS * (seconds["stream"] * STREAM_MB / 1024 * prices.gb_second + prices.invocation),
        "Lambda: create_job": JOBS * (API_SECONDS * API_MB / 1024 * prices.gb_second + prices.invocation),
        "DynamoDB writes": JOBS * writes * prices.write_unit,
        "DynamoDB reads": JOBS * meter.read_units * prices.read_unit,
        "SQS": JOBS * sqs * prices.sqs_request,
        "HTTP API": JOBS * prices.api_request,
    }
    total = sum(parts.values())
    naive_writes = JOBS * (TOKENS + 10) * prices.write_unit
    naive_reads = JOBS * (SECONDS / 0.1) * 0.5 * prices.read_unit
    naive = total - parts["DynamoDB writes"] - parts["DynamoDB reads"] + naive_writes + naive_reads
    print(table("AWS calls of one job", ["call", "times"], [[c, n] for c, n in sorted(meter.calls.items()) if n > 0]))
    print(table("Write units of one job", ["table", "units"], sorted(meter.write_units.items())))
    print(f"read units of one job: {meter.read_units}; GB-seconds: {compute:.2f}; {json.dumps(seconds)}\n")
    rows = [[name, f"{value:.4f}"] for name, value in parts.items()]
    rows += [["total", f"{total:.3f}"], ["one write a token, 100 ms polling", f"{naive:.3f}"]]
    print(table(f"US dollars for {JOBS} jobs ({TOKENS} tokens, {SECONDS:.0f} s, one viewer)", ["part", "USD"], rows))


if __name__ == "__main__":
    main()
