"""Many short jobs while every process is killed, stopped and woken at random; then the five invariants.

``GRAPHJOBS_CHAOS_JOBS`` and ``GRAPHJOBS_CHAOS_SEED`` choose size and seed; the seed is printed and replays the
same sequence of disturbances (their timing is that of the machine).
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from graphjobs.aws.dynamo_log import DynamoEventLog
from graphjobs.aws.job_store import JobStore
from graphjobs.aws.payload_store import PayloadStore
from graphjobs.cli.local_process import LocalProcess, local_command
from graphjobs.client.client import Client
from graphjobs.core.job import Status
from graphjobs.local.issuer import mint_token
from graphjobs.local.state import STATE_FILE
from tests.chaos.crowd import Crowd
from tests.chaos.invariants import check_all
from tests.chaos.monkey import Monkey

pytestmark = [pytest.mark.e2e, pytest.mark.chaos, pytest.mark.timeout(3600)]

JOBS = int(os.environ.get("GRAPHJOBS_CHAOS_JOBS", "24"))
SEED = int(os.environ.get("GRAPHJOBS_CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 1_000_000)
LEASE_SECONDS = 2.0
EVERY_SECONDS = 1.0
GRAPHS = Path(__file__).parent / "graphs" / "langgraph.json"

SETTINGS = {
    "GRAPHJOBS_LEASE_SECONDS": str(LEASE_SECONDS),
    "GRAPHJOBS_HEARTBEAT_SECONDS": "0.5",
    "GRAPHJOBS_WATCH_SECONDS": "0.1",
    "GRAPHJOBS_RECONCILE_SECONDS": "0.5",
    "GRAPHJOBS_MAX_ATTEMPTS": "100",
    # Shorter than the longest job: hand-offs are part of it.
    "GRAPHJOBS_FUNCTION_TIMEOUT_SECONDS": "4",
    "GRAPHJOBS_STREAM_WINDOW_SECONDS": "3",
}


class World:
    """A local instance and direct access to its tables."""

    def __init__(self, facts: dict[str, Any], state_dir: Path) -> None:
        self.facts = facts
        self.state_dir = state_dir
        endpoint = facts["aws_endpoint_url"]
        dynamodb = boto3.client("dynamodb", endpoint_url=endpoint)
        names = {name.split("-")[0]: name for name in dynamodb.list_tables()["TableNames"]}
        bucket = boto3.client("s3", endpoint_url=endpoint).list_buckets()["Buckets"][0]["Name"]
        payloads = PayloadStore(boto3.client("s3", endpoint_url=endpoint), bucket)
        self.jobs = JobStore(dynamodb, names["jobs"])
        self._log = DynamoEventLog(dynamodb, names["events"], payloads)

    def log(self, job_id: str) -> list[dict[str, Any]]:
        """The whole log of a job."""
        slots = self._log.following(job_id, 1, max_slots=100_000)
        return [json.loads(event.line) for slot in slots for event in slot.events()]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    environ = {**os.environ, **SETTINGS, "GRAPHJOBS_STATE_DIR": str(tmp_path)}
    with LocalProcess(
        local_command("--workers", "3", "--leave-lost-jobs", "--config", str(GRAPHS)), environ
    ) as process:
        yield World(process.ready(60), tmp_path)


def test_nothing_is_lost_repeated_or_reordered_whatever_dies(world: World) -> None:
    """Given jobs and viewers, when processes die at random, then every job ends and every viewer has its log."""
    print(f"\nchaos: seed {SEED}, {JOBS} jobs")
    token = mint_token(world.state_dir, "user-1", 7200)
    crowd = Crowd(world.facts["api_url"], world.facts["stream_url"], token, SEED)
    began = time.monotonic()
    state_file = world.state_dir / STATE_FILE
    with Monkey(
        state_file,
        SEED,
        lease_seconds=LEASE_SECONDS,
        every_seconds=EVERY_SECONDS,
        progress=lambda: crowd.received,
    ) as monkey:
        watched = crowd.run(JOBS, at_once=4, viewers=3)
    took = time.monotonic() - began
    ends: Counter[str] = Counter()
    attempts = handoffs = 0
    for one in watched:
        job = world.jobs.get(one.job_id)
        assert job is not None
        log = world.log(one.job_id)
        try:
            check_all(job, log, one.viewers, one.steps)
        except AssertionError:
            print(f"chaos: job {one.job_id} with seed {SEED}: {job}")
            for event in log:
                print(f"  {event}")
            raise
        assert job.status is not Status.FAILED, f"{one.job_id}: {log[-1]}"
        ends[job.status.value] += 1
        attempts += job.attempt
        handoffs += job.handoffs
    print(f"chaos: {took:.0f} s, {dict(ends)}, {attempts} attempts, {handoffs} hand-offs, {dict(monkey.done)}")
    assert ends["completed"] > 0
    assert sum(monkey.done.values()) > 0


def test_a_killed_worker_is_replaced_within_lease_and_five_seconds(world: World) -> None:
    """Given a running job, when its worker is killed, then another carries it on in time."""
    token = mint_token(world.state_dir, "user-1", 3600)
    recoveries = []
    with Client(world.facts["api_url"], token, stream_url=world.facts["stream_url"]) as client:
        for _ in range(3):
            job_id = client.submit(input={"steps": 2, "pause": 0.15})["job_id"]
            killed_at = 0.0
            for event in client.stream(job_id):
                if event["type"] == "work" and not killed_at:
                    os.kill(event["data"]["pid"], signal.SIGKILL)
                    killed_at = time.monotonic()
                if event["type"] == "attempt" and event["data"]["reason"] == "crash" and killed_at:
                    recoveries.append(time.monotonic() - killed_at)
                    killed_at = float("inf")
            job = world.jobs.get(job_id)
            assert job is not None
            check_all(job, world.log(job_id), [], 2)
    print(f"\nrecovery after kill -9: {[round(seconds, 2) for seconds in recoveries]} s, lease {LEASE_SECONDS} s")
    assert len(recoveries) == 3
    assert max(recoveries) <= LEASE_SECONDS + 5
