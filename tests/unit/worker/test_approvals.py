"""People are asked in all the ways that projects ask them, and each answer reaches exactly what it is for."""

from __future__ import annotations

from typing import Any

import pytest

from graphjobs.http.problem import Problem
from tests.support.worker import approvals as worker_approvals
from tests.support.worker.approvals import RAN
from tests.support.worker.rig import Rig
from tests.support.worker.turns import Turns, lose, turns

GRAPHS = (
    "reviewed",
    "asking_tools",
    "nested",
    "some_branches",
    "to_parent",
    "formal",
    "breakpoint_of_its_own",
    "counting",
    "asking_tasks",
)
SAVERS = pytest.mark.parametrize("durable", [False, True], ids=["memory", "DynamoDB"])


@pytest.fixture(autouse=True)
def graphs(workers: Rig) -> None:
    workers.add_graphs({name: f"{worker_approvals.__name__}:{name}" for name in GRAPHS})
    RAN.clear()


def messages(done: dict[str, Any]) -> list[tuple[str, Any]]:
    """Type and content of the messages of a result."""
    return [(each["type"], each["content"]) for each in done["result"]["messages"]]


def ask_agent(talk: Turns) -> list[dict[str, Any]]:
    """Let the agent ask; its questions."""
    done = talk.run(talk.submit(input={"messages": [{"role": "user", "content": "go"}]}))
    assert (done["status"], RAN) == ("interrupted", [])
    questions: list[dict[str, Any]] = done["interrupts"]
    return questions


APPROVE = {"type": "approve"}
EDIT = {"type": "edit", "edited_action": {"name": "pay", "args": {"amount": 1}}}
REJECT = {"type": "reject", "message": "not her"}


@SAVERS
@pytest.mark.parametrize(
    ("decisions", "ran"),
    [
        ([APPROVE, APPROVE], [("mail", "ann"), ("pay", 3)]),
        ([EDIT, APPROVE], [("mail", "ann"), ("pay", 1)]),
        ([APPROVE, REJECT], [("pay", 3)]),
        ([EDIT, REJECT], [("pay", 1)]),
        ([{"type": "reject"}, REJECT], []),
    ],
    ids=["approve", "edit", "reject one", "edit and reject", "reject all"],
)
def test_the_decisions_on_several_calls_of_tools_are_kept(
    workers: Rig, decisions: list[dict[str, Any]], ran: list[tuple[str, Any]], durable: bool
) -> None:
    """langchain's middleware asks once for both calls; tools that were rejected do not run, the others once."""
    talk = turns(workers, "reviewed", durable=durable)
    (question,) = ask_agent(talk)
    assert [each["name"] for each in question["value"]["action_requests"]] == ["pay", "mail"]
    done = talk.run(talk.reply({question["id"]: {"decisions": decisions}}))
    assert done["status"] == "completed"
    assert sorted(RAN) == ran
    assert messages(done)[-1] == ("ai", "Done.")
    said = [text for kind, text in messages(done) if kind == "tool"]
    assert len(said) == 2 and any("not her" in text for text in said) == (REJECT in decisions)
    with pytest.raises(Problem) as again:
        talk.reply({question["id"]: {"decisions": [APPROVE, APPROVE]}})
    assert (again.value.status, again.value.code) == (409, "no_such_interrupt")
    assert sorted(RAN) == ran


@SAVERS
def test_tools_that_ask_at_once_are_answered_one_by_one(workers: Rig, durable: bool) -> None:
    talk = turns(workers, "asking_tools", durable=durable)
    ids = {each["value"]["confirm"]: each["id"] for each in ask_agent(talk)}
    assert set(ids) == {"a", "b"}
    partly = talk.run(talk.reply({ids["b"]: "yes"}))
    assert [each["id"] for each in partly["interrupts"]] == [ids["a"]]
    done = talk.run(talk.reply("no"))
    assert done["status"] == "completed" and sorted(RAN) == [("confirm", "no"), ("confirm", "yes")]
    assert [text for kind, text in messages(done) if kind == "tool"] == ["a: no", "b: yes"]


@SAVERS
def test_a_subgraph_goes_on_behind_its_question(workers: Rig, durable: bool) -> None:
    """Its steps before the question are not run again, and those of the outer graph follow."""
    talk = turns(workers, "nested", durable=durable)
    done = talk.run(talk.say("go"))
    assert [each["value"] for each in done["interrupts"]] == ["inner"]
    # As in LangGraph: a subgraph hands its whole state back, so what it was given comes twice.
    assert talk.said(talk.reply("yes")) == ["go", "go", "before", "inner: yes", "after", "end"]


@SAVERS
def test_branches_that_ask_wait_for_each_other_and_those_that_do_not_are_done(workers: Rig, durable: bool) -> None:
    talk = turns(workers, "some_branches", durable=durable)
    done = talk.run(talk.say("go"))
    ids = {each["value"]: each["id"] for each in done["interrupts"]}
    assert set(ids) == {1, 3}
    done = talk.run(talk.reply({ids[3]: "C"}))
    assert [each["value"] for each in done["interrupts"]] == [1]
    assert talk.said(talk.reply({ids[1]: None})) == ["go", "0: no need", "1: None", "2: no need", "3: C", "end"]
    assert sorted(RAN) == [("branch", number) for number in range(4)], "each once, over three jobs"


@SAVERS
@pytest.mark.parametrize("lost", [("branch 3", "branch 1"), ("branch 3", "branch 3")])
def test_branches_are_answered_once_whoever_is_lost_while_they_go_on(
    workers: Rig, durable: bool, lost: tuple[str, str]
) -> None:
    """Some of them answered by a first job and the rest by a second, each of which loses a worker or two.

    A step that was lost is begun again, but not the branches that an earlier job has seen to their end.
    """
    talk = turns(workers, "some_branches", durable=durable)
    ids = {each["value"]: each["id"] for each in talk.run(talk.say("go"))["interrupts"]}
    first, twice = talk.reply({ids[3]: "C"}), lost[0] == lost[1]
    for step in lost if twice else lost[:1]:
        lose(workers, first, step, durable=durable)
    assert [each["value"] for each in talk.run(first)["interrupts"]] == [1]
    second = talk.reply("A")
    if not twice:
        lose(workers, second, lost[1], durable=durable)
    assert talk.said(second) == ["go", "0: no need", "1: A", "2: no need", "3: C", "end"]
    assert sorted(RAN) == sorted(("branch", number) for number in (*range(4), *(int(step[-1]) for step in lost)))


@SAVERS
def test_an_answer_within_a_subgraph_says_where_the_outer_graph_goes_on(workers: Rig, durable: bool) -> None:
    talk = turns(workers, "to_parent", durable=durable)
    assert talk.run(talk.say("go"))["status"] == "interrupted"
    assert talk.said(talk.reply("right")) == ["go", "to right", "right"]


@SAVERS
def test_an_answer_that_the_graph_refuses_leaves_its_question_open(workers: Rig, durable: bool) -> None:
    """And a node that asks twice asks under two ids: a late answer to the first question is not the second one's."""
    talk = turns(workers, "formal", durable=durable)
    (first,) = talk.run(talk.say("go"))["interrupts"]
    assert talk.run(talk.reply({first["id"]: {"amount": "much"}}))["status"] == "failed"
    assert talk.row.interrupts == (first["id"],)
    (second,) = talk.run(talk.reply({first["id"]: {"amount": 3}}))["interrupts"]
    assert second["value"] == "for whom?"
    with pytest.raises(Problem) as late:
        talk.reply({first["id"]: {"amount": 4}})
    assert late.value.code == "no_such_interrupt"
    assert talk.said(talk.reply({second["id"]: "ann"})) == ["go", "3 for ann"]


@SAVERS
def test_a_breakpoint_of_the_graphs_own_is_gone_on_from_and_then_it_asks(workers: Rig, durable: bool) -> None:
    talk = turns(workers, "breakpoint_of_its_own", durable=durable)
    done = talk.run(talk.say("go"))
    assert (done["status"], done["interrupts"], done["result"]["said"]) == ("interrupted", [], ["go", "draft"])
    asks = talk.run(talk.submit())
    assert [each["value"] for each in asks["interrupts"]] == ["Send this?"]
    assert talk.said(talk.reply("yes")) == ["go", "draft", "Send this?: yes"]


@SAVERS
def test_a_functional_graph_remembers_from_turn_to_turn(workers: Rig, durable: bool) -> None:
    talk = turns(workers, "counting", durable=durable)
    assert [talk.run(talk.submit(input={}))["result"] for _ in range(3)] == ["call 1", "call 2", "call 3"]


@SAVERS
@pytest.mark.parametrize("lost", [False, True])
def test_tasks_of_a_functional_graph_ask_and_those_that_are_done_are_not_run_again(
    workers: Rig, durable: bool, lost: bool
) -> None:
    talk = turns(workers, "asking_tasks", durable=durable)
    for number in range(2):
        RAN.clear()
        job = talk.submit(input="it")
        for answer in ("yes", "no", "sent"):
            (asked,) = talk.run(job)["interrupts"]
            job = talk.reply({asked["id"]: answer})
            if lost and answer == "no":
                lose(workers, job, "ben", durable=durable)
        assert asked["value"] == "draft of it, ann: yes, ben: no"
        done = talk.run(job)
        assert (done["status"], done["result"]) == ("completed", f"sent after {number}")
        expected = [("draft", "it"), ("ann", "yes"), *([("ben", "no")] if lost else []), ("ben", "no")]
        assert expected == RAN


def test_no_such_interrupt_is_refused_before_anything_is_stored(workers: Rig) -> None:
    talk = turns(workers, "nested")
    talk.run(talk.say("go"))
    before = workers.aws.dynamodb.scan(TableName="jobs", ConsistentRead=True)["Items"]
    with pytest.raises(Problem) as refused:
        talk.reply({"0" * 32: "yes"})
    assert (refused.value.status, refused.value.code) == (409, "no_such_interrupt")
    assert workers.aws.dynamodb.scan(TableName="jobs", ConsistentRead=True)["Items"] == before
