"""What the API says of threads and their states: LangGraph's own JSON forms, one place for every door."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from graphjobs.core.state_record import StateNote, StateRecord
from graphjobs.core.thread import Thread


def thread_json(thread: Thread, head: StateRecord | None) -> dict[str, Any]:
    """LangGraph's ``Thread``; `values` and `interrupts` are of `head`, the state that the last job has left."""
    body = json.loads(head.body) if head else {}
    asked = {task["id"]: task["interrupts"] for task in body.get("tasks", ()) if task["interrupts"]}
    updated = _time(thread.updated_at)
    return {
        "thread_id": thread.thread_id,
        "created_at": _time(thread.created_at),
        "updated_at": updated,
        "state_updated_at": body.get("created_at", updated),
        "metadata": {**({"graph_id": thread.graph} if thread.graph else {}), **thread.metadata},
        "config": {},
        "status": thread.status.value,
        "values": body.get("values"),
        "interrupts": asked,
    }


def state_json(thread: Thread, record: StateRecord | None, *, subgraphs: bool = False) -> dict[str, Any]:
    """LangGraph's ``ThreadState``; that of a thread on which nothing has run for None.

    With `subgraphs`, a task that waits within a subgraph has the state of that in place of its name.
    """
    if record is None:
        return _EMPTY
    note, body = record.note, json.loads(record.body)
    tasks = [_task(thread, task, subgraphs) for task in body["tasks"]]
    return {
        "values": body["values"],
        "next": body["next"],
        "tasks": tasks,
        "metadata": {**body["metadata"], "graph_id": thread.graph, "run_id": run_id(note)},
        "created_at": body["created_at"],
        "checkpoint": _checkpoint(thread, note.position.checkpoint_id),
        "parent_checkpoint": _checkpoint(thread, note.parent.checkpoint_id) if note.parent else None,
        "interrupts": [each for task in tasks for each in task["interrupts"]],
        "checkpoint_id": note.position.checkpoint_id,
        "parent_checkpoint_id": note.parent.checkpoint_id if note.parent else None,
        **({"cut": body["cut"]} if "cut" in body else {}),
    }


def updated_json(thread_id: str, checkpoint_id: str) -> dict[str, Any]:
    """The answer to an update of a thread's state: the checkpoint that it has made."""
    checkpoint = {"thread_id": thread_id, "checkpoint_ns": "", "checkpoint_id": checkpoint_id}
    return {"checkpoint": checkpoint, "configurable": checkpoint, "checkpoint_id": checkpoint_id}


def run_id(note: StateNote) -> str:
    """The run that has saved a state: the UUID in the job's id."""
    return note.job_id.removeprefix("job-")


_EMPTY: dict[str, Any] = {
    "values": {},
    "next": [],
    "tasks": [],
    "metadata": None,
    "created_at": None,
    "checkpoint": None,
    "parent_checkpoint": None,
    "interrupts": [],
    "checkpoint_id": None,
    "parent_checkpoint_id": None,
}


def _checkpoint(thread: Thread, checkpoint_id: str) -> dict[str, Any]:
    return {"thread_id": thread.thread_id, "checkpoint_ns": "", "checkpoint_id": checkpoint_id}


def _task(thread: Thread, task: dict[str, Any], subgraphs: bool) -> dict[str, Any]:
    """A task; of a subgraph that it is in where that saves, or its state."""
    within = _within(thread, task["state"]) if subgraphs and task["state"] else None
    return task | {"checkpoint": None if within else _within_at(thread, task["checkpoint"]), "state": within}


def _within(thread: Thread, state: dict[str, Any]) -> dict[str, Any]:
    at, parent = state["checkpoint"], state["parent_checkpoint"]
    return state | {
        "tasks": [_task(thread, task, True) for task in state["tasks"]],
        "checkpoint": _within_at(thread, at),
        "parent_checkpoint": _within_at(thread, parent),
        "checkpoint_id": at["checkpoint_id"],
        "parent_checkpoint_id": parent["checkpoint_id"] if parent else None,
    }


def _within_at(thread: Thread, at: dict[str, Any] | None) -> dict[str, Any] | None:
    return {"thread_id": thread.thread_id, **at} if at else None


def _time(milliseconds: int) -> str:
    at = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return at.isoformat(timespec="microseconds")
