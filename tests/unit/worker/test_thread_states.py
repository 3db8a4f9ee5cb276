"""States of threads: what the worker stores of its checkpoints, and what of it can be seen."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from graphjobs.aws.cancel import cancel
from graphjobs.core.job import Job
from graphjobs.core.state_record import StateRecord
from graphjobs.http.problem import Problem
from graphjobs.http.thread_answer import state_json
from tests.support.worker import talks as worker_talks
from tests.support.worker.gate import Died, Gate, Phase
from tests.support.worker.graphs import HOOKS
from tests.support.worker.rig import Rig, until
from tests.support.worker.turns import Turns, turns

SAVERS = pytest.mark.parametrize("durable", [False, True], ids=["memory", "DynamoDB"])


pytestmark = pytest.mark.usefixtures("patient_updates")


@pytest.fixture(autouse=True)
def graphs(workers: Rig) -> None:
    module = worker_talks.__name__
    workers.add_graphs({name: f"{module}:{name}" for name in ("talk", "approval", "panel")})


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


@SAVERS
def test_the_history_of_a_conversation_is_that_of_langgraph(workers: Rig, durable: bool) -> None:
    talk = turns(workers, "talk", durable=durable)
    talk.said(talk.say("one"))
    talk.said(talk.say("two"))
    told = history(talk)
    assert [shape(each) for each in told] == own_history(worker_talks.talk(), {"said": ["one"]}, {"said": ["two"]})
    assert [each["parent_checkpoint_id"] for each in told] == [*[each["checkpoint_id"] for each in told[1:]], None]


@SAVERS
def test_a_question_is_in_the_state_and_gone_from_the_next_one(workers: Rig, durable: bool) -> None:
    talk = turns(workers, "approval", durable=durable)
    asked = talk.run(talk.say("one"))
    state = history(talk)[0]
    assert state["interrupts"] == asked["interrupts"]
    assert [each["id"] for each in state["interrupts"]] == list(talk.row.interrupts)
    assert talk.run(talk.reply("yes"))["status"] == "completed"
    told = [shape(each) for each in history(talk)]
    assert told == own_history(worker_talks.approval(), {"said": ["one"]}, Command(resume="yes"))


def said_at(talk: Turns, checkpoint_id: str) -> list[str]:
    """What had been said at a checkpoint."""
    state = next(each for each in history(talk) if each["checkpoint_id"] == checkpoint_id)
    words: list[str] = state["values"].get("said", [])
    return words


def checkpoint(talk: Turns, *said: str) -> str:
    """The newest checkpoint at which exactly this had been said."""
    found: str = next(each["checkpoint_id"] for each in history(talk) if each["values"].get("said") == list(said))
    return found


FIRST = ("one", "heard one", "answer to 2")


@SAVERS
def test_a_message_is_edited_by_a_fork_and_the_old_branch_stays_readable(workers: Rig, durable: bool) -> None:
    talk = turns(workers, "talk", durable=durable)
    talk.said(talk.say("one"))
    old = talk.said(talk.say("two"))
    left = talk.row.head
    fork = talk.say("two, but better", checkpoint_id=checkpoint(talk, *FIRST))
    assert talk.said(fork) == [*FIRST, "two, but better", "heard two, but better", "answer to 5"]
    assert left is not None and talk.row.branches == (left,)
    assert said_at(talk, left.checkpoint_id) == old
    again = talk.say("three", checkpoint_id=left.checkpoint_id)
    assert talk.said(again)[:7] == [*old, "three"], "back to the old branch and on"
    assert left not in talk.row.branches


@SAVERS
def test_an_answer_is_made_anew_by_a_fork_without_input(workers: Rig, durable: bool) -> None:
    """Regenerate: from the checkpoint before the step that answered, in the middle of a turn."""
    talk = turns(workers, "talk", durable=durable)
    talk.said(talk.say("one"))
    middle = checkpoint(talk, "one", "heard one")
    assert talk.said(talk.submit(checkpoint_id=middle)) == list(FIRST)
    tips = [each["checkpoint_id"] for each in history(talk) if each["values"].get("said") == list(FIRST)]
    assert len(tips) == 2, "both answers are there"


@SAVERS
def test_a_question_can_be_answered_again_on_a_branch_of_its_own(workers: Rig, durable: bool) -> None:
    talk = turns(workers, "approval", durable=durable)
    asked = talk.run(talk.say("one"))
    question = talk.row.head
    assert question is not None
    assert talk.said(talk.reply("yes"))[2] == "approved: yes"
    with pytest.raises(Problem) as second:
        talk.reply("no")
    assert second.value.code == "no_such_interrupt"
    again = talk.reply({asked["interrupts"][0]["id"]: "no"}, checkpoint_id=question.checkpoint_id)
    assert talk.said(again)[2] == "approved: no"
    with pytest.raises(Problem) as elsewhere:
        talk.reply("no", checkpoint_id=checkpoint(talk, "one"))
    assert elsewhere.value.code == "no_such_interrupt", "nothing was asked there"


def test_a_fork_from_a_running_job_that_is_rolled_back_finds_nothing(workers: Rig) -> None:
    talk = turns(workers, "talk")
    talk.said(talk.say("one"))
    running = talk.say("two")
    waiting = []

    def stop() -> None:
        workers.until_marked(running)
        waiting.append(talk.say("three", checkpoint_id=history(talk)[0]["checkpoint_id"]))
        aws = workers.aws
        cancel(workers.row(running), aws.jobs, aws.transitions, clock=aws.clock, rollback=True)
        until(lambda: workers.runs[-1].stopped is not None)

    HOOKS["answer"] = stop
    assert talk.run(running, watch_seconds=0.05)["status"] == "cancelled"
    assert talk.run(waiting[0])["error"]["code"] == "checkpoint_gone"
    assert history(talk)[0]["values"]["said"] == list(FIRST)


def test_the_marks_of_a_running_job_are_seen_and_go_with_its_rollback(workers: Rig) -> None:
    talk = turns(workers, "talk")
    talk.said(talk.say("one"))
    job = talk.say("two")
    seen = []

    def stop() -> None:
        workers.until_marked(job)
        seen.append(history(talk)[0]["values"]["said"])
        aws = workers.aws
        cancel(workers.row(job), aws.jobs, aws.transitions, clock=aws.clock, rollback=True)
        seen.append(history(talk)[0]["values"]["said"])

    HOOKS["answer"] = stop
    talk.run(job)
    assert seen == [[*FIRST, "two", "heard two"], list(FIRST)]
    assert history(talk)[0]["values"]["said"] == list(FIRST)


@SAVERS
def test_a_job_that_was_lost_and_resumed_leaves_the_history_of_an_undisturbed_one(workers: Rig, durable: bool) -> None:
    talk = turns(workers, "talk", durable=durable)
    talk.said(talk.say("one"))
    job = talk.say("two")
    gate = Gate()
    HOOKS["answer"] = lambda: setattr(gate, "died_in", "answer")
    with pytest.raises(Died):
        workers.worker(gate, durable_saver=durable).process(job)
    workers.lapse()
    talk.said(job)
    told = [(each["values"], each["next"]) for each in history(talk)]
    whole = own_history(worker_talks.talk(), {"said": ["one"]}, {"said": ["two"]})
    assert told == [(each["values"], each["next"]) for each in whole]


@SAVERS
def test_two_questions_in_one_step_are_one_checkpoint_and_each_is_seen_in_its_time(workers: Rig, durable: bool) -> None:
    """The first answer makes no checkpoint, but other writes of the one that asked."""
    talk = turns(workers, "panel", durable=durable)
    asked = talk.run(talk.say("one"))["interrupts"]
    first = history(talk)
    assert {each["id"] for each in first[0]["interrupts"]} == {each["id"] for each in asked}
    left = talk.run(talk.reply({asked[0]["id"]: "yes"}))["interrupts"]
    told = history(talk)
    assert [each["checkpoint_id"] for each in told] == [each["checkpoint_id"] for each in first]
    assert set(talk.row.interrupts) == {each["id"] for each in left} < {each["id"] for each in asked}
    assert talk.run(talk.reply({left[0]["id"]: "too"}))["status"] == "completed"


def test_a_thread_that_a_question_has_made_can_be_looked_at(workers: Rig) -> None:
    job = workers.job("approval", {"said": ["one"]})
    talk = Turns(workers, "approval", job.thread)
    asked = talk.run(job)
    assert history(talk)[0]["interrupts"] == asked["interrupts"]
    talk.said(talk.reply("yes"))
    assert history(talk)[0]["values"]["said"][-1] == "acted"


def test_a_job_without_a_thread_that_ends_well_stores_no_state(workers: Rig) -> None:
    job = workers.job("talk", {"said": ["one"]})
    talk = Turns(workers, "talk", job.thread)
    talk.run(job)
    assert not workers.aws.states.notes(job.thread)
    talk.said(talk.say("two"))
    told = history(talk)
    assert [each["values"].get("said", [])[:3] for each in told] == [list(FIRST)] * 5
    assert told[-1]["parent_checkpoint"] is None, "it begins with the state that the next job has found"


def test_a_failed_step_is_in_the_state_with_its_error(workers: Rig) -> None:
    talk = turns(workers, "talk")

    def fail() -> None:
        raise ValueError("private words")

    HOOKS["answer"] = fail
    assert talk.run(talk.say("one"))["status"] == "failed"
    state = history(talk)[0]
    assert (state["next"], state["tasks"][0]["error"]) == (["answer"], "ValueError()")
    assert talk.row.status == "error"


@SAVERS
@pytest.mark.parametrize(("node", "status"), [("answer", "completed"), ("listen", "interrupted"), (None, "completed")])
def test_an_update_makes_a_checkpoint_and_runs_no_node(
    workers: Rig, durable: bool, node: str | None, status: str
) -> None:
    talk = turns(workers, "talk", durable=durable)
    talk.said(talk.say("one"))
    done = talk.run(talk.update({"said": ["noted"]}, **({"as_node": node} if node else {})))
    assert (done["status"], done["result"]["said"]) == (status, [*FIRST, "noted"])
    assert talk.row.status == ("interrupted" if status == "interrupted" else "idle")
    whole = own_history(worker_talks.talk(), {"said": ["one"]}, ({"said": ["noted"]}, node))
    assert [shape(each) for each in history(talk)] == whole
    assert talk.said(talk.say("two"))[:5] == [*FIRST, "noted", "two"]


def test_an_update_at_an_older_checkpoint_is_a_fork(workers: Rig) -> None:
    talk = turns(workers, "talk")
    talk.said(talk.say("one"))
    middle = checkpoint(talk, "one", "heard one")
    done = talk.run(talk.update({"said": ["better"]}, as_node="listen", checkpoint_id=middle))
    assert done["result"]["said"] == ["one", "heard one", "better"]
    assert history(talk)[0]["parent_checkpoint_id"] == middle
    assert talk.said(talk.submit()) == ["one", "heard one", "better", "answer to 3"]


def test_an_update_that_the_graph_does_not_take_changes_nothing(workers: Rig) -> None:
    talk = turns(workers, "talk")
    talk.said(talk.say("one"))
    before = history(talk)
    done = talk.run(talk.update({"said": ["x"]}, as_node="nobody"))
    assert (done["status"], done["error"]["code"]) == ("failed", "invalid_update")
    assert history(talk) == before


def test_an_update_takes_an_open_question_back(workers: Rig) -> None:
    """As in LangGraph: what it leads to is another checkpoint, at which the node has not asked yet."""
    talk = turns(workers, "approval")
    talk.run(talk.say("one"))
    talk.run(talk.update({"said": ["noted"]}, as_node="listen"))
    assert (talk.row.status, talk.row.interrupts, history(talk)[0]["next"]) == ("interrupted", (), ["ask"])
    asked = talk.run(talk.submit())
    assert asked["interrupts"][0]["value"] == {"question": "after 3"}
    assert talk.said(talk.reply("yes"))[-2:] == ["approved: yes", "acted"]


def test_a_busy_thread_takes_no_update(workers: Rig) -> None:
    talk = turns(workers, "talk")
    talk.say("one")
    with pytest.raises(Problem) as busy:
        talk.update({"said": ["x"]})
    assert busy.value.code == "thread_busy"


@pytest.fixture(scope="module")
def undisturbed() -> list[tuple[Any, Any]]:
    """What is seen of two turns in which nothing went wrong: values and what comes next."""
    states = own_history(worker_talks.talk(), {"said": ["one"]}, {"said": ["two"]})
    return [(each["values"], each["next"]) for each in states]


def seen(talk: Turns) -> list[tuple[Any, Any]]:
    return [(each["values"], each["next"]) for each in history(talk)]


def test_wherever_a_worker_dies_what_is_seen_is_what_an_undisturbed_thread_shows(
    workers: Rig, undisturbed: list[tuple[Any, Any]]
) -> None:
    """Between save and record, record and mark, mark and end: after each of its writes, whose answer it never has."""

    def run(job: Job) -> None:
        worker = workers.worker(durable_saver=True)
        worker.process(job)
        workers.retire(worker)

    number, died = 1, True
    while died:
        talk = turns(workers, "talk", durable=True)
        run(talk.say("one"))
        job = talk.say("two")
        gate = Gate(die_at=number, phase=Phase.AFTER)
        with suppress(Died):
            workers.worker(gate, durable_saver=True).process(job)
        died = gate.dead
        at_death = seen(talk)
        assert at_death == undisturbed[len(undisturbed) - len(at_death) :], number
        workers.lapse()
        if not workers.row(job).status.terminal:
            run(job)
        assert seen(talk) == undisturbed, number
        number += 1
    assert number > 10


def test_a_worker_that_was_fenced_tells_nothing_more_of_the_state(workers: Rig) -> None:
    """It sleeps in the step that asks, wakes up when another has taken over, and asks; the other was told to stop."""
    talk = turns(workers, "approval", durable=True)
    job = talk.say("one")
    aws = workers.aws

    def take_over() -> None:
        workers.until_marked(job)
        workers.lapse()

        def stop() -> None:
            cancel(workers.row(job), aws.jobs, aws.transitions, clock=aws.clock)
            until(lambda: workers.runs[-1].stopped is not None)

        HOOKS["asking"] = stop
        second = workers.worker(durable_saver=True, watch_seconds=0.05)
        thread = threading.Thread(target=second.process, args=(job,))
        thread.start()
        thread.join()

    HOOKS["asking"] = take_over
    first = workers.worker(durable_saver=True)
    first.blind()
    first.process(job)
    assert workers.row(job).status == "cancelled"
    state = history(talk)[0]
    assert (state["next"], state["interrupts"], talk.row.interrupts) == (["ask"], [], ())
