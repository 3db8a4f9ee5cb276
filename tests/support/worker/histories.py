"""What can be seen of a thread, and what LangGraph itself would show of it."""

from __future__ import annotations

from typing import Any

from langgraph.checkpoint.memory import InMemorySaver

from graphjobs.core.state_record import StateRecord
from graphjobs.http.thread_answer import state_json
from tests.support.worker.turns import Turns

FIRST = ("one", "heard one", "answer to 2")
"""What has been said after the first turn of `talk`."""


def history(talk: Turns) -> list[dict[str, Any]]:
    """As the API gives it."""
    seen = talk.workers.aws.history
    records: list[StateRecord] = seen.records(talk.row, seen.notes(talk.row))
    return [state_json(talk.row, record) for record in records]


def shape(state: dict[str, Any]) -> dict[str, Any]:
    """What does not depend on ids and times."""
    return {
        "values": state["values"],
        "next": state["next"],
        "source": state["metadata"]["source"],
        "step": state["metadata"]["step"],
        "tasks": [
            (task["name"], task["error"], [each["value"] for each in task["interrupts"]]) for task in state["tasks"]
        ],
    }


def own_history(graph: Any, *given: Any) -> list[dict[str, Any]]:
    """The history that LangGraph itself keeps of a thread on which it is given this, one after the other.

    A tuple is an update: values, and as which node.
    """
    compiled = graph.compile(checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "t"}}
    for each in given:
        if isinstance(each, tuple):
            compiled.update_state(config, each[0], as_node=each[1])
        else:
            compiled.invoke(each, config)
    found = []
    for state in compiled.get_state_history(config):
        tasks = [(task.name, task.error, [each.value for each in task.interrupts]) for task in state.tasks]
        found.append(
            {
                "values": state.values,
                "next": list(state.next),
                "source": state.metadata["source"],
                "step": state.metadata["step"],
                "tasks": tasks,
            }
        )
    return found


def said_at(talk: Turns, checkpoint_id: str) -> list[str]:
    """What had been said at a checkpoint."""
    state = next(each for each in history(talk) if each["checkpoint_id"] == checkpoint_id)
    words: list[str] = state["values"].get("said", [])
    return words


def checkpoint(talk: Turns, *said: str) -> str:
    """The newest checkpoint at which exactly this had been said."""
    found: str = next(each["checkpoint_id"] for each in history(talk) if each["values"].get("said") == list(said))
    return found
