"""What 1,000 chat jobs cost on AWS, all but the model: 500 tokens in 10 s, one viewer, or none with ``--unwatched``.

One job is run for real, function by function, in this process on moto; every AWS call is counted and its units are
computed from the sizes of its items. Times are those that a function is busy or waits, all warm; memory sizes are
the defaults of a deployment. Prices are those of us-east-1, arm64, on demand, in November 2026's public list; put
your region's in `Prices`. No free tier is subtracted, and what a deployment costs without a job is not counted.

Beside it: the same job with one write per token and a poll every 100 ms. All else is taken to be the same, though a
design that writes so seldom also has no leases, checkpoints or marks.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.billing import Meter
from benchmarks.graphs.answer import SECONDS, TOKENS
from benchmarks.measure import table
from graphjobs.aws.schema import CHECKPOINTS_TABLE, EVENTS_TABLE, JOBS_TABLE
from infra.config import Config

JOBS = 1000
POLL_SECONDS = 0.1
DEPLOYED = Config()
MEMORY = {
    "worker": DEPLOYED.worker_memory_mb,
    "stream": DEPLOYED.stream_memory_mb,
    "create_job": DEPLOYED.api_memory_mb,
}
API_SECONDS = 0.03
"""Of a warm create_job on Lambda: three AWS calls; an assumption, since moto's times say nothing."""
PLATFORM_LOG_BYTES = 1_000
"""Of a job: Lambda's START, END and REPORT lines of three invocations, about 330 bytes each; an assumption."""
STORED_DAYS = DEPLOYED.retention_days + 1
SCHEMAS = {"jobs": JOBS_TABLE, "events": EVENTS_TABLE, "checkpoints": CHECKPOINTS_TABLE}
REGION = "us-east-1"
ELSEWHERE = {
    "GRAPHJOBS_GRAPHS": "answer",
    "GRAPHJOBS_STREAM_URL": "https://stream.example.test",
    "GRAPHJOBS_OIDC_ISSUER": "https://issuer.example.test",
    "GRAPHJOBS_OIDC_AUDIENCE": "cost",
}
"""Settings that name nothing which the job needs."""


@dataclass(frozen=True)
class Prices:
    """US dollars."""

    write_unit: float = 0.625e-6
    read_unit: float = 0.125e-6
    stored_gb_month: float = 0.25
    sqs_request: float = 0.40e-6
    api_request: float = 1.00e-6
    invocation: float = 0.20e-6
    gb_second: float = 13.3334e-6
    log_gb: float = 0.50
    egress_gb: float = 0.09


@dataclass
class Ran:
    """What one job showed, beside the meter's counts."""

    seconds: dict[str, float]
    events: int
    sent_bytes: int
    log_bytes: int


def run_one_job(meter: Meter, *, watched: bool) -> Ran:
    """Run one job, function by function."""
    from graphjobs.testing.aws import emulated_aws

    graphs = Path(__file__).parent / "graphs" / "langgraph.json"
    credentials = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    os.environ.update(credentials, AWS_DEFAULT_REGION=REGION, AWS_EC2_METADATA_DISABLED="true")
    logs = io.StringIO()
    with emulated_aws() as named, contextlib.redirect_stdout(logs):  # loggers take stdout as it is when they are made
        os.environ.update(named | ELSEWHERE, GRAPHJOBS_CONFIG=str(graphs))
        from graphjobs.api.job_request import JobRequest
        from graphjobs.api.joining import Joining
        from graphjobs.api.submission import Submission
        from graphjobs.aws import clients
        from graphjobs.aws.backend import Backend
        from graphjobs.core.settings import Settings
        from graphjobs.core.times import now_ms
        from graphjobs.stream.app import create_app_from_env
        from graphjobs.worker.handler import worker
        from graphjobs.worker.telemetry import metrics

        session: Any = clients.session()  # ours: the default one is for the code of graphs
        meter.attach(session.events)
        settings = Settings.from_env(os.environ)
        parts = Backend(settings)
        joining = Joining(parts.jobs, parts.threads, parts.log, parts.transitions, parts.history, now_ms)
        submission = Submission(parts.jobs, parts.queue, settings, joining)
        the_worker = worker()
        stream = create_app_from_env()
        before = meter.calls.copy()
        # With a key, as our client always sends one.
        job, _ = submission.submit("user-1", JobRequest(query="?", graph="answer"), "a-key")
        ran = Ran({"create_job": API_SECONDS}, 0, 0, 0)
        viewer = threading.Thread(target=_follow, args=(stream, settings, job, ran))
        if watched:
            viewer.start()
        message = clients.sqs().receive_message(QueueUrl=settings.queue_url, AttributeNames=["All"])["Messages"][0]
        record = {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"],
        }
        began = time.perf_counter()
        the_worker.process(record, 900_000)
        ran.seconds["worker"] = time.perf_counter() - began
        metrics.flush_metrics()
        if watched:
            viewer.join()
        else:
            ran.events = TOKENS + 3
        meter.calls.subtract(before)
        # The mapping's own.
        meter.calls["sqs:ReceiveMessage"] += 1
        meter.calls["sqs:DeleteMessage"] += 1
    if not ran.events:
        raise SystemExit("cost: the stream failed")
    ran.log_bytes = len(logs.getvalue().encode()) + PLATFORM_LOG_BYTES
    return ran


def _follow(app: Any, settings: Any, job: Any, ran: Ran) -> None:
    import asyncio

    import httpx

    from graphjobs.auth.stream_url import stream_urls

    async def follow() -> None:
        url = stream_urls(settings).url(job)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), timeout=60) as http:
            answer = await http.get(url)
        if answer.status_code != 200 or "event: done" not in answer.text:
            raise RuntimeError(f"the stream failed: {answer.status_code}")
        ran.events, ran.sent_bytes = answer.text.count("\ndata: "), len(answer.content)

    began = time.perf_counter()
    asyncio.run(follow())
    ran.seconds["stream"] = time.perf_counter() - began


@dataclass(frozen=True)
class Units:
    """DynamoDB units of one job."""

    writes: float
    reads: float


def units(meter: Meter) -> Units:
    """As it was run."""
    return Units(sum(meter.writes.values()) + sum(meter.index_writes.values()), sum(meter.reads.values()))


def naive_units(meter: Meter, ran: Ran) -> Units:
    """With one write an event, each under 1 KB, but for the two of claim and end; and a read every 100 ms."""
    ours = units(meter)
    polls = ran.seconds.get("stream", 0.0) / POLL_SECONDS
    writes = ours.writes - meter.writes["events", "PutItem"] + (ran.events - 2)
    return Units(writes, ours.reads - meter.reads.get("events", 0.0) + polls * 0.5)


def dollars(meter: Meter, ran: Ran, used: Units, prices: Prices) -> dict[str, float]:
    """US dollars of `JOBS` jobs, by part."""
    sqs = sum(count for call, count in meter.calls.items() if call.startswith("sqs:"))
    one = {
        f"Lambda: {name}, {MEMORY[name]} MB": ran.seconds[name] * MEMORY[name] / 1024 * prices.gb_second
        + prices.invocation
        for name in ran.seconds
    }
    one |= {
        "DynamoDB writes": used.writes * prices.write_unit,
        "DynamoDB reads": used.reads * prices.read_unit,
        f"DynamoDB storage, {STORED_DAYS} days": sum(meter.stored.values())
        / 1e9
        * prices.stored_gb_month
        * STORED_DAYS
        / 30,
        "SQS": sqs * prices.sqs_request,
        "HTTP API": prices.api_request,
        "logs": ran.log_bytes / 1e9 * prices.log_gb,
        "data out": ran.sent_bytes / 1e9 * prices.egress_gb,
    }
    return {part: JOBS * value for part, value in one.items()}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--unwatched", action="store_true", help="nobody follows the job")
    watched = not parser.parse_args().unwatched
    meter, prices = Meter(SCHEMAS), Prices()
    ran = run_one_job(meter, watched=watched)
    print(table("AWS calls of one job", ["call", "times"], [[c, n] for c, n in sorted(meter.calls.items()) if n > 0]))
    rows = [[f"{name}, {operation}", "write", float(n)] for (name, operation), n in sorted(meter.writes.items())]
    rows += [[f"index {name}", "write", float(n)] for name, n in sorted(meter.index_writes.items())]
    rows += [[name, "read", n] for name, n in sorted(meter.reads.items())]
    print(table("DynamoDB units of one job", ["table", "unit", "units"], rows))
    ours = dollars(meter, ran, units(meter), prices)
    naive = dollars(meter, ran, naive_units(meter, ran), prices)
    rows = [[part, f"{value:.4f}", f"{naive[part]:.4f}"] for part, value in ours.items()]
    total, naive_total = sum(ours.values()), sum(naive.values())
    rows += [["total", f"{total:.3f}", f"{naive_total:.3f}"], ["ratio", "1", f"{naive_total / total:.2f}"]]
    whom = "one viewer" if watched else "nobody watches"
    title = f"US dollars for {JOBS} jobs ({TOKENS} tokens, {SECONDS:.0f} s, {whom})"
    print(table(title, ["part", "graphjobs", "one write per token, 100 ms polling"], rows))
    print("Seconds of one job: " + ", ".join(f"{name} {value:.2f}" for name, value in ran.seconds.items()) + "\n")


if __name__ == "__main__":
    main()
