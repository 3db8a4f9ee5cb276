"""A state of a run as JSON, in the form in which LangGraph's API tells of it: made when it is reached, pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from langgraph.types import StateSnapshot

from graphjobs.worker.failure import in_state
from graphjobs.worker.jsonable import Encoded, encode, jsonable


@dataclass(frozen=True, slots=True)
class State:
    """A state as JSON.

    Attributes:
        tasks: those that come next, each ``{id, name, error, interrupts, checkpoint, state, result}``.
    """

    checkpoint_id: str
    values: Encoded
    metadata: Mapping[str, Any]
    tasks: tuple[Mapping[str, Any], ...]
    created_at: str
    next: tuple[str, ...]

    @property
    def interrupts(self) -> tuple[str, ...]:
        """Ids of what its tasks ask."""
        return tuple(each["id"] for task in self.tasks for each in task["interrupts"])

    def with_ends(
        self, ended: Mapping[str, Mapping[str, Any]], within: Mapping[str, Mapping[str, Any]], error_detail: str
    ) -> State:
        """With what tasks came to, and the states of the subgraphs that they are in, by their ids."""
        tasks = []
        for task in self.tasks:
            end = ended.get(task["id"])
            tasks.append({**task, **(_end(end, error_detail) if end else {}), "state": within.get(task["id"])})
        return replace(self, tasks=tuple(tasks))

    def body(self) -> str:
        """The body of its record."""
        rest = {
            "next": self.next,
            "tasks": self.tasks,
            "metadata": self.metadata,
            "created_at": self.created_at,
            **({"cut": self.values.cut} if self.values.cut else {}),
        }
        return f'{{"values":{self.values.text},{encode(rest).text[1:]}'


def state_of_part(part: Mapping[str, Any], error_detail: str) -> State:
    """The state that a part of the stream mode ``checkpoints`` tells of."""
    return State(
        checkpoint_id=str(part["config"]["configurable"]["checkpoint_id"]),
        values=encode(part["values"]),
        metadata=jsonable(part["metadata"]),
        tasks=tuple(
            _task(task["id"], task["name"], task.get("state"), error_detail) | _end(task, error_detail)
            for task in part["tasks"]
        ),
        created_at=datetime.now(UTC).isoformat(timespec="microseconds"),
        next=tuple(part["next"]),
    )


def state_of_snapshot(snapshot: Any, error_detail: str) -> State:
    """The state that a `StateSnapshot` of LangGraph holds."""
    return State(
        checkpoint_id=str(snapshot.config["configurable"]["checkpoint_id"]),
        values=encode(snapshot.values),
        metadata=jsonable(snapshot.metadata),
        tasks=tuple(
            _task(task.id, task.name, task.state, error_detail)
            | _end(task._asdict() | {"interrupts": [asdict(each) for each in task.interrupts]}, error_detail)
            for task in snapshot.tasks
        ),
        created_at=str(snapshot.created_at),
        next=tuple(snapshot.next),
    )


def begun_again(body: str) -> str:
    """The body of a record without what its tasks came to."""
    members = json.loads(body)
    for task in members["tasks"]:
        task |= {"error": None, "interrupts": [], "state": None, "result": None}
    return json.dumps(members, ensure_ascii=False, separators=(",", ":"))


def states_within(snapshot: StateSnapshot, error_detail: str) -> dict[str, Mapping[str, Any]]:
    """The states of the subgraphs that the tasks of `snapshot` are in, by the ids of the tasks.

    Each is ``{"values", "next", "tasks", "metadata", "created_at", "interrupts", "checkpoint", "parent_checkpoint"}``,
    and so are those of the subgraphs within it, in its tasks.
    """
    found = {task.id: _within(task.state, error_detail) for task in snapshot.tasks}
    return {task_id: state for task_id, state in found.items() if state is not None}


def _within(snapshot: Any, error_detail: str) -> dict[str, Any] | None:
    """None where the subgraph has saved nothing, or `snapshot` is none."""
    if not isinstance(snapshot, StateSnapshot) or not snapshot.config["configurable"].get("checkpoint_id"):
        return None
    state = state_of_snapshot(snapshot, error_detail)
    return {
        **json.loads(state.body()),
        "interrupts": [each for task in state.tasks for each in task["interrupts"]],
        "checkpoint": _checkpoint(snapshot.config),
        "parent_checkpoint": _checkpoint(snapshot.parent_config) if snapshot.parent_config else None,
    }


def _checkpoint(config: Any) -> dict[str, Any]:
    return {name: config["configurable"].get(name) for name in ("checkpoint_ns", "checkpoint_id")}


def _task(task_id: str, name: str, state: Any, error_detail: str) -> dict[str, Any]:
    """A task; `state` names where its subgraph saves, or is the state of that."""
    config = state.config if isinstance(state, StateSnapshot) else state
    namespace = config["configurable"].get("checkpoint_ns") if isinstance(config, Mapping) else None
    return {
        "id": task_id,
        "name": name,
        "error": None,
        "interrupts": [],
        "checkpoint": {"checkpoint_ns": namespace} if namespace else None,
        "state": _within(state, error_detail),
        "result": None,
    }


def _end(task: Mapping[str, Any], error_detail: str) -> dict[str, Any]:
    """What a task came to; an error as Python writes it, which is how LangGraph's API has it."""
    error, result = task.get("error"), task.get("result")
    return {
        "error": None if error is None else in_state(error, error_detail),
        "interrupts": [jsonable({"id": each["id"], "value": each["value"]}) for each in task.get("interrupts") or ()],
        "result": jsonable(result) if result else None,
    }
