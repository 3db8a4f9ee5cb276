"""One stream process with 1,000 live streams of 10 jobs: lag from written to parsed, and its memory.

All jobs run at once, each on a worker of its own. The emulator, the workers and all viewers share this machine with
the process that is measured.
"""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import httpx

from benchmarks.instance import Instance, instance
from benchmarks.measure import Series, table

JOBS = 10
VIEWERS = 1000
EVENTS = 60
MEASURED_EVENTS = 15
"""Of each stream at least, after the last viewer has come: fewer mean that the jobs ended too soon."""
PAUSE_SECONDS = 1.0
OPENING_SECONDS = 60


class Barrier:
    """Tells when all viewers are there."""

    def __init__(self) -> None:
        self.here = asyncio.Event()
        self._missing = VIEWERS

    def arrived(self) -> None:
        """One more is."""
        self._missing -= 1
        if self._missing == 0:
            self.here.set()


async def follow(here: Instance, http: httpx.AsyncClient, job_id: str, lags: list[float], everybody: Barrier) -> int:
    """Read one stream to its end; the number of events that came. Lags count once all streams are open."""
    count = 0
    headers = {"authorization": f"Bearer {here.token}"}
    async with http.stream("GET", f"{here.stream_url}/stream/{job_id}", headers=headers) as answer:
        answer.raise_for_status()
        everybody.arrived()
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                count += 1
                event = json.loads(line[6:])
                if event["type"] == "work" and everybody.here.is_set():
                    lags.append((time.time() - event["data"]["written_at"]) * 1000)
    return count


def resident_megabytes(pid: int) -> float:
    """Resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 1e6


async def measure(here: Instance, jobs: list[str]) -> tuple[list[float], float, float]:
    """Lags in milliseconds, memory before and with all streams open."""
    before = resident_megabytes(here.pids["stream"])
    lags: list[float] = []
    everybody = Barrier()
    limits = httpx.Limits(max_connections=VIEWERS)
    async with httpx.AsyncClient(limits=limits, timeout=120) as http:
        watchers = []
        for number in range(VIEWERS):
            watchers.append(asyncio.create_task(follow(here, http, jobs[number % JOBS], lags, everybody)))
            await asyncio.sleep(0.005)
        async with asyncio.timeout(OPENING_SECONDS):
            await everybody.here.wait()
        await asyncio.sleep(3)
        peak = resident_megabytes(here.pids["stream"])
        counts = await asyncio.gather(*watchers)
    # metadata, the graph's events, its update, done
    if any(count != EVENTS + 3 for count in counts):
        raise RuntimeError(f"streams differ from the log: {sorted(set(counts))}")
    if len(lags) < VIEWERS * MEASURED_EVENTS:
        raise RuntimeError(f"only {len(lags)} events came while all streams were open")
    return lags, before, peak


def main() -> None:
    """Print the table."""
    with instance(workers=JOBS, GRAPHJOBS_STREAM_WINDOW_SECONDS="600") as here, here.client() as client:
        submit = [client.submit(input={"events": EVENTS, "pause": PAUSE_SECONDS}, graph="work") for _ in range(JOBS)]
        lags, before, peak = asyncio.run(measure(here, [job["job_id"] for job in submit]))
    series = Series.of(lags)
    rows = [
        ["events parsed while all were open", len(lags)],
        ["lag p50, ms", series.p50],
        ["lag p99, ms", series.p99],
        ["memory before, MB", before],
        ["memory with all streams open, MB", peak],
    ]
    print(table(f"{VIEWERS} live streams of {JOBS} jobs in one process", ["measured", "value"], rows))


if __name__ == "__main__":
    main()
