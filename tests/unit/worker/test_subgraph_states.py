"""States of the subgraphs that a thread was left in: as LangGraph tells them, readable on every branch."""

from __future__ import annotations

from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from graphjobs.core.thread import Position
from graphjobs.http.thread_answer import state_json
from tests.support.worker import approvals as worker_approvals
from tests.support.worker import keeping as worker_keeping
from tests.support.worker.histories import history
from tests.support.worker.rig import Rig
from tests.support.worker.turns import SAVERS, Turns, turns

pytestmark = pytest.mark.usefixtures("patient_updates", "talks")


@pytest.fixture(autouse=True)
def graphs(workers: Rig) -> None:
    workers.add_graphs({name: f"{worker_keeping.__name__}:{name}" for name in ("keeping", "calling")})
    workers.add_graphs({"nested": f"{worker_approvals.__name__}:nested"})
    workers.add_graphs({"deep": f"{worker_keeping.__name__}:deep"})


def told(talk: Turns, at: Position | None = None) -> dict[str, Any]:
    """A state with those of the subgraphs, as the API gives it; by default the newest."""
    seen = talk.workers.aws.history
    note = seen.find(talk.row, at.checkpoint_id) if at else None
    record = seen.records(talk.row, [note])[0] if note else seen.newest(talk.row)
    assert record is not None
    return state_json(talk.row, record, subgraphs=True)


def shape(state: Any) -> Any:
    """What does not depend on ids and times, of a state and of those within."""
    if state is None:
        return None
    tasks = [
        (task["name"], [each["value"] for each in task["interrupts"]], shape(task["state"])) for task in state["tasks"]
    ]
    return {"values": state["values"], "next": state["next"], "step": state["metadata"]["step"], "tasks": tasks}


def own_shape(state: Any) -> Any:
    """The same of LangGraph's own."""
    if not getattr(state, "metadata", None):
        return None
    tasks = [(task.name, [each.value for each in task.interrupts], own_shape(task.state)) for task in state.tasks]
    return {"values": state.values, "next": list(state.next), "step": state.metadata["step"], "tasks": tasks}


OWN: Any = {"configurable": {"thread_id": "t"}}


@SAVERS
@pytest.mark.parametrize("graph", ["keeping", "calling", "nested", "deep"])
def test_the_states_of_subgraphs_are_those_of_langgraph(workers: Rig, durable: bool, graph: str) -> None:
    module: Any = worker_approvals if graph == "nested" else worker_keeping
    own: Any = getattr(module, graph)().compile(checkpointer=InMemorySaver())
    talk = turns(workers, graph, durable=durable)
    own.invoke({"said": ["b?"]}, OWN)
    (question,) = talk.run(talk.say("b?"))["interrupts"]
    state = told(talk)
    assert shape(state) == own_shape(own.get_state(OWN, subgraphs=True))
    (task,) = state["tasks"]
    within = task["state"]
    assert (task["checkpoint"], within["checkpoint"]["thread_id"]) == (None, talk.thread_id)
    assert within["checkpoint_id"] == within["checkpoint"]["checkpoint_id"] > state["checkpoint_id"]
    assert [each["id"] for each in within["interrupts"]] == [question["id"]]
    (without,) = history(talk)[0]["tasks"]
    assert without["state"] is None and without["checkpoint"]["checkpoint_ns"].startswith(task["name"])
    own.invoke(Command(resume="yes"), OWN)
    talk.said(talk.reply("yes"))
    assert told(talk)["tasks"] == [], "it is over"


def test_a_subgraph_before_which_a_thread_has_stopped_has_the_state_that_it_keeps(workers: Rig) -> None:
    own: Any = worker_keeping.keeping().compile(checkpointer=InMemorySaver())
    talk = turns(workers, "keeping", durable=True)
    own.invoke({"said": ["a"]}, OWN)
    talk.said(talk.say("a"))
    own.invoke({"said": ["b"]}, OWN, interrupt_before=["keep"])
    talk.run(talk.say("b", interrupt_before=["keep"]))
    assert shape(told(talk)) == own_shape(own.get_state(OWN, subgraphs=True))
    assert talk.said(talk.submit())[-1] == "kept a b"


@SAVERS
def test_the_states_of_a_branch_that_was_left_stay_readable(workers: Rig, durable: bool) -> None:
    talk = turns(workers, "keeping", durable=durable)
    talk.said(talk.say("a"))
    first = talk.row.head
    assert first is not None
    asked: dict[str, Position] = {}
    for word in ("b?", "c?"):
        talk.run(talk.say(word, checkpoint_id=first.checkpoint_id))
        assert talk.row.head is not None
        asked[word] = talk.row.head
    talk.said(talk.reply("yes", checkpoint_id=asked["b?"].checkpoint_id))
    for word, position in asked.items():
        (task,) = told(talk, position)["tasks"]
        assert (task["state"]["values"]["notes"], task["state"]["next"]) == (["a", word], ["check"])


def test_a_question_that_made_its_thread_tells_of_its_subgraph(workers: Rig) -> None:
    job = workers.job("nested", {"said": ["go"]})
    talk = Turns(workers, "nested", job.thread)
    talk.run(job)
    (task,) = told(talk)["tasks"]
    assert task["state"]["next"] == ["ask"]
