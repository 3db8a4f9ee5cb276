"""How fast a finished job of 10,000 events is replayed, beside `langgraph dev`, which has it in memory; in turns."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import httpx

from benchmarks.baselines import environment
from benchmarks.baselines.langgraph_dev import LangGraphDev, langgraph_dev
from benchmarks.instance import Instance, instance
from benchmarks.measure import Series, table
from deploy.steps import Failed, show_logs
from graphjobs.cli.local_process import LocalStartError
from graphjobs.client.client import Client

EVENTS = 10_000
RUNS = 5
INPUT = {"events": EVENTS, "pause": 0}


def counted(events: Iterable[object]) -> tuple[int, float]:
    """How many events there are, and how many came in a second."""
    began = time.perf_counter()
    count = sum(1 for _ in events)
    return count, count / (time.perf_counter() - began)


def received(here: Instance, job_id: str, total: int) -> float:
    """Events a second when their bytes are received and not parsed."""
    began = time.perf_counter()
    url = f"{here.stream_url}/stream/{job_id}"
    answer = httpx.get(url, headers={"authorization": f"Bearer {here.token}"}, timeout=60)
    rate = total / (time.perf_counter() - began)
    if answer.text.count("\ndata: ") != total:
        raise RuntimeError("events are missing")
    return rate


def measure(here: Instance, client: Client, beside: LangGraphDev) -> dict[str, list[float]]:
    """Events a second, by what was measured."""
    job_id = client.submit(input=INPUT, graph="work")["job_id"]
    total = sum(1 for _ in client.stream(job_id))
    url = beside.submit(beside.prepare(), INPUT)
    theirs = sum(1 for _ in beside.read(url))
    if min(total, theirs) < EVENTS:
        raise RuntimeError(f"events are missing: {total} and {theirs} of {EVENTS}")
    rates: dict[str, list[float]] = {"bytes": [], "graphjobs": [], "langgraph dev": []}
    for _ in range(RUNS):
        rates["bytes"].append(received(here, job_id, total))
        for name, events, expected in (
            ("graphjobs", client.stream(job_id), total),
            ("langgraph dev", beside.read(url), theirs),
        ):
            count, rate = counted(events)
            if count != expected:
                raise RuntimeError(f"{name}: {count} of {expected} events came")
            rates[name].append(rate)
    return rates


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            python = environment.python(folder / "install.log")
            with instance() as here, here.client() as client, langgraph_dev(python, folder) as beside:
                rates = measure(here, client, beside)
        except (Failed, LocalStartError, httpx.HTTPError, RuntimeError) as error:
            show_logs(folder)
            sys.exit(f"replay: {error}")
    theirs = Series.of(rates["langgraph dev"]).p50
    rows = {
        "graphjobs, parsed by its Python client": "graphjobs",
        "graphjobs, bytes received": "bytes",
        "langgraph dev, parsed by the same parser": "langgraph dev",
    }
    medians = {title: Series.of(rates[name]).p50 for title, name in rows.items()}
    shown = [[title, round(median), median / theirs] for title, median in medians.items()]
    title = f"Replay of a job of {EVENTS} events (median of {RUNS})"
    print(table(title, ["measured", "events/s", "this / langgraph dev"], shown))


if __name__ == "__main__":
    main()
