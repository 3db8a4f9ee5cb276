"""How long a client waits: from submit to the first event, and from an event written by a node to it parsed.

Side by side and in turns: graphjobs, `langgraph dev`, and the queue-and-poll design of the tutorials, each on this
machine with one worker, warm, running the same graph. The limit is what no design with a log in DynamoDB can be
faster than: one write and one read of the emulator that graphjobs uses. The other two keep events in memory.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import httpx

from benchmarks.baselines import environment
from benchmarks.baselines.langgraph_dev import langgraph_dev
from benchmarks.baselines.queue_and_poll import queue_and_poll
from benchmarks.baselines.system import System, run
from benchmarks.instance import Instance, instance
from benchmarks.measure import Series, table
from deploy.steps import Failed, show_logs
from graphjobs.aws.schema import EVENTS_TABLE
from graphjobs.cli.local_process import LocalStartError
from graphjobs.client.client import Client
from graphjobs.local.resources import CREDENTIALS

TURNS = 8
SUBMITS = 4
"""Jobs of one event in a turn, for the time to the first event."""
PAUSES = {0.053: 60, 0.47: 8}
"""Seconds between two writes, and how many writes in a turn: at most 20 a second, and 2. No multiples of 100 ms, or
a poll of that interval would find all events of a job equally old."""
ROUND_TRIPS = 50
IDLE_SECONDS = 0.5
"""Before a submit, at random up to this: no poll interval of anybody is to be in step with the submits."""


class Graphjobs:
    """A local instance."""

    name = "graphjobs"

    def __init__(self, client: Client) -> None:
        self._client = client

    def prepare(self) -> None:
        """Nothing."""

    def follow(self, prepared: None, graph_input: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """See `System.follow`."""
        job_id = self._client.submit(input=graph_input, graph="work")["job_id"]
        for event in self._client.stream(job_id):
            yield event["data"]


class RoundTrip:
    """One write and one read, of an item as small as a slot of one event."""

    TABLE = "latency"

    def __init__(self, endpoint_url: str) -> None:
        self._client = boto3.client(
            "dynamodb",
            endpoint_url=endpoint_url,
            region_name=CREDENTIALS["AWS_REGION"],
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )
        self._client.create_table(TableName=self.TABLE, **EVENTS_TABLE)
        self._seq = 0

    def milliseconds(self) -> float:
        """Of one PutItem and then one GetItem."""
        self._seq += 1
        key = {"job_id": {"S": "limit"}, "seq": {"N": str(self._seq)}}
        began = time.perf_counter()
        self._client.put_item(
            TableName=self.TABLE,
            Item={**key, "body": {"S": "x" * 200}},
            ConditionExpression="attribute_not_exists(job_id)",
        )
        if "Item" not in self._client.get_item(TableName=self.TABLE, Key=key):
            raise RuntimeError("what was written cannot be read")
        return (time.perf_counter() - began) * 1000


@dataclass
class Measured:
    """Milliseconds of one system."""

    first: list[float] = field(default_factory=list)
    first_written: list[float] = field(default_factory=list)
    lags: dict[float, list[float]] = field(default_factory=lambda: {pause: [] for pause in PAUSES})

    def take_turn(self, system: System) -> None:
        """One turn of everything."""
        for _ in range(SUBMITS):
            time.sleep(random.uniform(0, IDLE_SECONDS))
            one = run(system, 1, 0)
            self.first.append(one.first_ms)
            self.first_written.append(one.first_written_ms)
        for pause, events in PAUSES.items():
            self.lags[pause] += run(system, events, pause).lags_ms


def measure(systems: list[System], here: Instance) -> tuple[dict[str, Measured], list[float]]:
    """Every system in turns, each warmed by one job before; and the round trips."""
    limit, trips = RoundTrip(here.endpoint_url), []
    for system in systems:
        run(system, 1, 0)
    measured = {system.name: Measured() for system in systems}
    for turn in range(TURNS):
        print(f"turn {turn + 1} of {TURNS}", file=sys.stderr, flush=True)
        trips += [limit.milliseconds() for _ in range(ROUND_TRIPS)]
        for system in systems:
            measured[system.name].take_turn(system)
    return measured, trips


def first_event_table(measured: dict[str, Measured]) -> str:
    """From submit to the first event."""
    ours = Series.of(measured[Graphjobs.name].first), Series.of(measured[Graphjobs.name].first_written)
    rows = []
    for name, one in measured.items():
        first, written = Series.of(one.first), Series.of(one.first_written)
        rows.append([name, first.p50, ours[0].p50 / first.p50, written.p50, ours[1].p50 / written.p50])
    header = ["system", "first event, p50 ms", "graphjobs / this", "first the node wrote, p50 ms", "graphjobs / this"]
    return table(f"Submit to first event, warm ({TURNS * SUBMITS} jobs each)", header, rows)


def lag_table(measured: dict[str, Measured], trips: list[float], pause: float) -> str:
    """From written by a node to parsed by the client, at one pace."""
    ours = Series.of(measured[Graphjobs.name].lags[pause])
    series = {name: Series.of(one.lags[pause]) for name, one in measured.items()}
    series["limit: one write, then one read"] = Series.of(trips)
    rows = [[name, one.p50, ours.p50 / one.p50, one.p99, ours.p99 / one.p99] for name, one in series.items()]
    header = ["system", "p50 ms", "graphjobs / this", "p99 ms", "graphjobs / this"]
    title = f"Written by a node to parsed by the client, a write every {pause * 1000:.0f} ms"
    return table(f"{title} ({len(ours.values)} events)", header, rows)


def main() -> None:
    """Print the tables."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        try:
            redis = environment.redis_server()
            python = environment.python(folder / "install.log")
            here = stack.enter_context(instance())
            systems: list[System] = [
                Graphjobs(stack.enter_context(here.client())),
                stack.enter_context(langgraph_dev(python, folder)),
                stack.enter_context(queue_and_poll(python, redis, folder)),
            ]
            measured, trips = measure(systems, here)
        except (Failed, LocalStartError, httpx.HTTPError, RuntimeError) as error:
            show_logs(folder)
            raise SystemExit(f"latency: {error}") from error
    print(first_event_table(measured))
    for pause in PAUSES:
        print(lag_table(measured, trips, pause))


if __name__ == "__main__":
    main()
