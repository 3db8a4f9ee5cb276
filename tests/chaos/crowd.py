"""The users: each submits jobs and watches them through several viewers whose connections are cut at random."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from graphjobs.client.client import Client
from graphjobs.client.retry import RetryPolicy

# Far longer than any job needs, whatever is done to its workers: a job that times out is a job that was lost.
TIMEOUT_SECONDS = 900
TOLD_EVERY = 20
PATIENT = RetryPolicy(max_failures=60, base_seconds=0.1, cap_seconds=1.0)


@dataclass
class Watched:
    """One job and what its viewers received."""

    job_id: str
    steps: int
    viewers: list[list[dict[str, Any]]] = field(default_factory=list)


class Crowd:
    """Runs jobs, a few at a time."""

    def __init__(self, api_url: str, stream_url: str, token: str, seed: int) -> None:
        self._access = (api_url, token)
        self._stream_url = stream_url
        self._seed = seed
        self.received = 0
        """Events that viewers have received so far, about: counted without a lock."""

    def run(self, jobs: int, *, at_once: int, viewers: int) -> list[Watched]:
        """Run `jobs` jobs to their end, each with `viewers` viewers."""
        with ThreadPoolExecutor(at_once) as pool:
            watched: list[Watched] = []
            for one in pool.map(lambda number: self._one(number, viewers), range(jobs)):
                watched.append(one)
                if len(watched) % TOLD_EVERY == 0:
                    print(f"chaos: {len(watched)} jobs have ended")
            return watched

    def _one(self, number: int, viewers: int) -> Watched:
        chance = random.Random(self._seed * 100_003 + number)
        steps = chance.randint(1, 6)
        graph_input = {"steps": steps, "pause": chance.choice([0.0, 0.01, 0.05, 0.1, 0.3])}
        with self._client() as client:
            job_id = client.submit(input=graph_input, timeout_seconds=TIMEOUT_SECONDS)["job_id"]
            watched = Watched(job_id, steps, [[] for _ in range(viewers)])
            threads = [
                threading.Thread(target=self._watch, args=(job_id, received, chance.random()))
                for received in watched.viewers
            ]
            for thread in threads:
                thread.start()
            if chance.random() < 0.15:
                threads[0].join(chance.uniform(0, 1.0))
                client.cancel(job_id)
            for thread in threads:
                thread.join()
        return watched

    def _watch(self, job_id: str, received: list[dict[str, Any]], luck: float) -> None:
        chance = random.Random(luck)
        with self._client() as client:
            while not received or received[-1]["type"] != "done":
                events = client.stream(job_id, after=received[-1]["seq"] if received else 0)
                take = chance.randint(1, 40)
                for event in events:
                    received.append(dict(event))
                    self.received += 1
                    take -= 1
                    if take == 0:
                        break  # cut: go on with a fresh connection
                events.close()

    def _client(self) -> Client:
        return Client(*self._access, stream_url=self._stream_url, api_retries=PATIENT, stream_retries=PATIENT)
