"""Questions of a graph: answered by a job of its thread, and once."""

from __future__ import annotations

from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from graphjobs.aws.cancel import cancel
from graphjobs.core.thread import Thread
from graphjobs.http.problem import Problem
from tests.support.worker import talks as worker_talks
from tests.support.worker.checks import check_sound
from tests.support.worker.graphs import HOOKS
from tests.support.worker.rig import Rig
from tests.support.worker.turns import SAVERS, Turns, lose, turns

pytestmark = pytest.mark.usefixtures("patient_updates", "talks")


def asked(thread: Thread) -> str:
    (interrupt_id,) = thread.interrupts
    return interrupt_id


def test_a_question_is_answered_by_the_next_job_once(workers: Rig) -> None:
    job = workers.job("approval", {"said": ["do it"]})
    approval = Turns(workers, "approval", job.thread)
    done = approval.run(job)
    assert done["status"] == "interrupted" and done["result"]["said"] == ["do it", "heard do it"]
    assert done["interrupts"] == [{"id": asked(approval.row), "value": {"question": "after 2"}}]
    yes = approval.reply("yes")
    with pytest.raises(Problem) as second:
        approval.reply("no")
    assert (second.value.status, second.value.code) == (409, "thread_busy")
    assert approval.said(yes) == ["do it", "heard do it", "approved: yes", "acted"]
    with pytest.raises(Problem) as third:
        approval.reply("no")
    assert (third.value.status, third.value.code) == (409, "no_such_interrupt")
    check_sound(workers.events(yes), workers.row(yes))


@SAVERS
def test_an_answer_that_was_rolled_back_leaves_the_question_open(workers: Rig, durable: bool) -> None:
    approval = turns(workers, "approval", durable=durable)
    approval.run(approval.say("do it"))
    question = approval.row
    aws = workers.aws
    wrong = approval.reply("wrong")

    def take_back() -> None:
        cancel(workers.row(wrong), aws.jobs, aws.transitions, clock=aws.clock, rollback=True)

    HOOKS["act"] = take_back
    assert approval.run(wrong)["status"] == "cancelled"
    after = approval.row
    assert (after.head, after.interrupts, after.status) == (question.head, question.interrupts, "interrupted")
    assert approval.said(approval.reply({asked(after): "right"}))[-2:] == ["approved: right", "acted"]


@SAVERS
def test_an_answer_whose_worker_was_lost_is_applied_once_all_the_same(workers: Rig, durable: bool) -> None:
    approval = turns(workers, "approval", durable=durable)
    approval.run(approval.say("do it"))
    yes = approval.reply("yes")
    lose(workers, yes, "answered", durable=durable)
    assert approval.said(yes) == ["do it", "heard do it", "approved: yes", "acted"]


@SAVERS
def test_questions_at_once_are_answered_one_by_one_or_together(workers: Rig, durable: bool) -> None:
    panel = turns(workers, "panel", durable=durable)
    done = panel.run(panel.say("go"))
    by_value = {each["value"]: each["id"] for each in done["interrupts"]}
    assert set(by_value) == {"a", "inner"}
    with pytest.raises(Problem) as unclear:
        panel.reply("for whom?")
    assert unclear.value.code == "answer_ambiguous"
    partly = panel.run(panel.reply({by_value["a"]: "A"}))
    assert [each["value"] for each in partly["interrupts"]] == ["inner"]
    with pytest.raises(Problem) as again:
        panel.reply({by_value["a"]: "B"})
    assert again.value.code == "no_such_interrupt"
    said = panel.said(panel.reply({by_value["inner"]: "I"}))
    assert sorted(said[1:4]) == ["a: A", "inner: I", "quiet"] and said[4:] == ["acted"]


OWN: Any = {"configurable": {"thread_id": "t"}}


@SAVERS
@pytest.mark.parametrize(
    "beside", [{"update": {"said": ["noted"]}}, {"goto": "act"}, {"update": {"said": ["noted"]}, "goto": "act"}]
)
def test_an_answer_with_a_change_beside_it_comes_to_what_it_does_in_langgraph(
    workers: Rig, durable: bool, beside: dict[str, Any]
) -> None:
    """Also where the first of two answers leaves the thread at the checkpoint at which it was."""
    own: Any = worker_talks.panel().compile(checkpointer=InMemorySaver())
    panel = turns(workers, "panel", durable=durable)
    asked = {each["value"]: each["id"] for each in panel.run(panel.say("go"))["interrupts"]}
    asked_own = {each.value: each.id for each in own.invoke({"said": ["go"]}, OWN)["__interrupt__"]}
    for question in ("a", "inner"):
        done = panel.run(panel.reply(None, command={"resume": {asked[question]: "yes"}, **beside}))
        bare = own.invoke(Command(resume={asked_own[question]: "yes"}, **beside), OWN)
    assert (done["status"], done["result"]) == ("completed", bare)
