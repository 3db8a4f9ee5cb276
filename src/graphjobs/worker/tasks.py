"""The tasks of a run that are under way: where in the graph each is, and which try of it.

LangGraph runs a node that raises again where its `RetryPolicy` says so, as the same task. What the failed try had
streamed is void then: `Retry` says from where.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from graphjobs.worker.langgraph_compat import Namespace

SEPARATOR: Final = "/"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a task is.

    Attributes:
        node: the names on the way to its node, ``outer/inner``.
        task: the ids of the tasks on the way, ``id of outer/id of inner``.
    """

    node: str
    task: str


@dataclass(frozen=True, slots=True)
class Retry:
    """A task is tried again: void is what it and what is under it have streamed after `discard_after`."""

    place: Place
    attempt: int
    discard_after: int


@dataclass(slots=True)
class _Task:
    place: Place
    run_id: UUID
    """Of its node, not of what runs within it under the same name."""
    began_after: int
    attempt: int = 1
    failed: bool = False


def place_of(namespace: Namespace, graph: Namespace) -> Place:
    """The place of the task `namespace` of the graph with the namespace `graph`.

    The number of a repeated subgraph is no part of the path. A task that a task has called (``@task``) is of the same
    graph, and so has only its own name, but is under the other's id.
    """
    names = (step.partition(":")[0] for step in (*graph, namespace[-1]) if ":" in step)
    ids = (step.partition(":")[2] for step in namespace if ":" in step)
    return Place(SEPARATOR.join(names), SEPARATOR.join(ids))


class Tasks:
    """Which tasks are under way. Each is told of by the thread that runs it, so what is here needs no lock."""

    def __init__(self) -> None:
        self._tasks: dict[str, _Task] = {}
        self._runs: dict[UUID, _Task] = {}
        self._spoken: set[str] = set()

    def began(self, run_id: UUID, place: Place, last_seq: int) -> Retry | None:
        """Something begins that is called like its node; a `Retry` if it is the node, and not for the first time."""
        task_id = place.task.rpartition(SEPARATOR)[2]
        known = self._tasks.get(task_id)
        if known is None:
            made = _Task(place, run_id, last_seq)
        elif known.failed:
            made = _Task(place, run_id, last_seq, known.attempt + 1)
        else:
            return None
        self._tasks[task_id] = self._runs[run_id] = made
        if known is None:
            return None
        self._spoken.discard(place.task)
        return Retry(place, made.attempt, known.began_after)

    def failed(self, run_id: UUID) -> None:
        """What began under `run_id` has raised."""
        task = self._runs.pop(run_id, None)
        if task is not None:
            task.failed = True

    def ended(self, run_id: UUID) -> None:
        """What began under `run_id` has returned."""
        self._runs.pop(run_id, None)

    def finished(self, task_id: str, namespace: Namespace, name: str) -> Place:
        """Nothing more comes of a task; its place, by what a part tells of it: the graph's namespace, and its name."""
        task = self._tasks.pop(task_id, None)
        place = task.place if task else place_of((*namespace, f"{name}:{task_id}"), namespace)
        self._spoken.discard(place.task)
        return place

    def place(self, namespace: Namespace) -> Place:
        """The place of the task `namespace`."""
        known = self._tasks.get(namespace[-1].partition(":")[2])
        return known.place if known else place_of(namespace, namespace[:-1])

    def spoke(self, place: Place) -> None:
        """A model has spoken in the task, and so in those that it is under."""
        path = place.task
        while path and path not in self._spoken:
            self._spoken.add(path)
            path = path.rpartition(SEPARATOR)[0]

    def has_spoken(self, place: Place) -> bool:
        """Whether a model has spoken in this try of the task."""
        return place.task in self._spoken
