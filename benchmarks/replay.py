"""How fast a finished job of 10,000 events is replayed: bytes, and events parsed by the client."""

from __future__ import annotations

import time

import httpx

from benchmarks.instance import instance
from benchmarks.measure import Series, table

EVENTS = 10_000
RUNS = 5


def main() -> None:
    """Print the table."""
    with instance() as here, here.client() as client:
        job_id = client.submit(input={"events": EVENTS, "pause": 0}, graph="work")["job_id"]
        total = sum(1 for _ in client.stream(job_id))
        raw, parsed = [], []
        for _ in range(RUNS):
            began = time.perf_counter()
            url = f"{here.stream_url}/stream/{job_id}"
            answer = httpx.get(url, headers={"authorization": f"Bearer {here.token}"}, timeout=60)
            raw.append(total / (time.perf_counter() - began))
            if answer.text.count("\nid: ") + answer.text.startswith("id: ") < total:
                raise RuntimeError("events are missing")
            began = time.perf_counter()
            if sum(1 for _ in client.stream(job_id)) != total:
                raise RuntimeError("events are missing")
            parsed.append(total / (time.perf_counter() - began))
    rows = [
        ["bytes received", round(Series.of(raw).p50)],
        ["events parsed by the Python client", round(Series.of(parsed).p50)],
    ]
    print(table(f"Replay of {total} events (median of {RUNS})", ["measured", "events/s"], rows))


if __name__ == "__main__":
    main()
