"""Version B of the deployment, and jobs that were begun before it."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from deploy.adapt import Template
from deploy.cdk import GRAPHS
from deploy.steps import ROOT
from tests.e2e.user import User
from tests.e2e.wire import Event
from tests.support.instance import Target

DIGEST: Final = "GRAPHJOBS_GRAPH_DIGEST"
LONGEST_PIECE: Final = 4_000
"""Bytes of a connection until it is cut."""


def changed_graphs(folder: Path) -> str:
    """A copy of the tests' graphs in `folder`, with one line more; the path of its ``langgraph.json``."""
    shutil.copytree((ROOT / GRAPHS).parent, folder / Path(GRAPHS).parent)
    shutil.copytree(ROOT / "examples" / "starter", folder / "examples" / "starter")
    with (folder / Path(GRAPHS).parent / "probes.py").open("a", encoding="utf-8") as module:
        module.write('\nVERSION = "B"\n')
    return str(folder / GRAPHS)


def digest_of(template: Template) -> str:
    """The digest of the graphs that a template deploys."""
    found = {
        variables[DIGEST]
        for resource in template["Resources"].values()
        if DIGEST in (variables := resource.get("Properties", {}).get("Environment", {}).get("Variables", {}))
    }
    assert len(found) == 1, found
    return str(found.pop())


class Viewers:
    """Follows jobs, each on a thread of its own, with connections that break anywhere."""

    def __init__(self, target: Target, threads: ThreadPoolExecutor) -> None:
        self._target = target
        self._threads = threads
        self._following: dict[str, Future[list[Event]]] = {}

    def follow(self, job_id: str) -> None:
        """Begin to follow a job."""
        self._following[job_id] = self._threads.submit(self._whole, job_id)

    def seen(self, job_id: str) -> list[Event]:
        """All that the job's viewer received; waits for the end."""
        return self._following[job_id].result()

    def _whole(self, job_id: str) -> list[Event]:
        chance = random.Random(job_id)
        received: list[Event] = []
        with User(self._target) as user:
            while not received or received[-1]["type"] != "done":
                last = received[-1]["seq"] if received else 0
                with user.stream(job_id, after=last) as connection:
                    assert connection.response.status_code == 200
                    received += connection.cut_after(chance.randint(500, LONGEST_PIECE)).events
        return received


@contextmanager
def viewers(target: Target, count: int) -> Iterator[Viewers]:
    """Room for `count` viewers at once."""
    with ThreadPoolExecutor(count) as threads:
        yield Viewers(target, threads)


@contextmanager
def made_at_the_end(gate: Path) -> Iterator[None]:
    """Whatever happens, the jobs that wait for this file are let through, so that their viewers come to an end."""
    try:
        yield
    finally:
        gate.touch()


def first_seen(user: User, job_id: str, kind: str) -> dict[str, Any]:
    """The data of the job's first event of `kind`; waits for it."""
    with user.stream(job_id) as connection:
        wire = connection.until(lambda wire: any(event["type"] == kind for event in wire.events))
    data: dict[str, Any] = next(event["data"] for event in wire.events if event["type"] == kind)
    return data
