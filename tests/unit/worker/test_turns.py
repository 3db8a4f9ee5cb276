"""Turns of a conversation: each begins with what the one before it has confirmed, and with nothing else."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from langgraph.config import get_config

from graphjobs.aws.cancel import cancel
from graphjobs.core.job import Job
from graphjobs.http.problem import Problem
from tests.support.worker.graphs import HOOKS
from tests.support.worker.rig import Rig, until
from tests.support.worker.turns import SAVERS, Turns, lose, turns

pytestmark = pytest.mark.usefixtures("patient_updates", "talks")

FIRST = ["one", "heard one", "answer to 2"]
SECOND = [*FIRST, "two", "heard two", "answer to 5"]


@SAVERS
def test_a_turn_goes_on_from_the_one_before(workers: Rig, durable: bool) -> None:
    talk = turns(workers, "talk", durable=durable)
    assert talk.said(talk.say("one")) == FIRST
    assert talk.said(talk.say("two")) == SECOND
    assert talk.row.status == "idle" and not talk.row.waiting


@SAVERS
def test_a_graph_knows_its_conversation_and_its_job(workers: Rig, durable: bool) -> None:
    talk = turns(workers, "talk", durable=durable)
    seen: list[tuple[str, str]] = []

    def look() -> None:
        configurable = get_config()["configurable"]
        seen.append((configurable["thread_id"], configurable["run_id"]))

    jobs = []
    for word in ("one", "two"):
        HOOKS["answer"] = look
        jobs.append(talk.say(word))
        talk.run(jobs[-1])
    assert seen == [(talk.thread_id, job.job_id) for job in jobs]


def test_a_job_without_a_thread_can_be_gone_on_from_too(workers: Rig) -> None:
    job = workers.job("talk", {"said": ["one"]})
    talk = Turns(workers, "talk", job.thread)
    assert talk.run(job)["result"]["said"] == FIRST
    assert workers.aws.threads.get(job.thread) is None, "it costs nothing before somebody uses it"
    assert talk.said(talk.say("two", if_not_exists=None)) == SECOND


def test_a_turn_is_of_the_threads_own_graph_unless_it_names_another(workers: Rig) -> None:
    job = workers.job("talk", {"said": ["one"]})
    elsewhere = Turns(workers, "approval", job.thread)  # whose first graph is not that of the thread
    assert elsewhere.run(job)["status"] == "completed"
    assert elsewhere.said(elsewhere.say("two")) == SECOND
    assert elsewhere.run(elsewhere.say("three", graph="approval"))["status"] == "interrupted"
    assert elsewhere.reply("yes").graph == "approval"


def test_a_job_that_still_runs_gets_its_thread_when_the_next_one_comes(workers: Rig) -> None:
    job = workers.job("talk", {"said": ["one"]})
    talk = Turns(workers, "talk", job.thread)
    followers = []
    HOOKS["answer"] = lambda: followers.append(talk.say("two"))
    assert talk.run(job)["result"]["said"] == FIRST
    assert talk.row.turn == followers[0].job_id
    assert talk.said(followers[0]) == SECOND


def test_jobs_wait_in_the_order_of_their_acceptance_and_get_their_message(workers: Rig) -> None:
    talk = turns(workers, "talk")
    first, second, third = (talk.say(word) for word in ("one", "two", "three"))
    early = workers.worker()
    early.process(second)
    assert workers.events(second) == [], "it is not its turn"
    worker = workers.worker()
    worker.process(first)
    assert worker.queue.sent == [second.job_id]
    assert talk.said(second) == SECOND
    assert talk.said(third)[:6] == SECOND


@SAVERS
def test_what_a_lost_worker_saved_is_not_in_the_next_turn(workers: Rig, durable: bool) -> None:
    """The first attempt dies in its second step; the second goes on from the mark; nothing is said twice."""
    talk = turns(workers, "talk", durable=durable)
    talk.said(talk.say("one"))
    job = talk.say("two")
    lose(workers, job, "answer", durable=durable)
    assert talk.said(job) == SECOND


@pytest.mark.parametrize(("rollback", "kept"), [(False, ["two", "heard two"]), (True, [])])
def test_a_cancelled_turn_leaves_its_steps_or_with_rollback_nothing(
    workers: Rig, rollback: bool, kept: list[str]
) -> None:
    talk = turns(workers, "talk")
    talk.said(talk.say("one"))
    job = talk.say("two")
    aws = workers.aws

    def stop() -> None:
        workers.until_marked(job)
        row = workers.row(job)
        cancel(row, aws.jobs, aws.transitions, clock=aws.clock, rollback=rollback)
        until(lambda: workers.runs[-1].stopped is not None)

    HOOKS["answer"] = stop
    assert talk.run(job, watch_seconds=0.05)["status"] == "cancelled"
    assert talk.said(talk.say("three"))[: 4 + len(kept)] == [*FIRST, *kept, "three"]


@pytest.mark.parametrize(("strategy", "kept"), [("interrupt", ["two", "heard two"]), ("rollback", [])])
def test_a_strategy_stops_those_before_it(workers: Rig, strategy: str, kept: list[str]) -> None:
    talk = turns(workers, "talk")
    talk.said(talk.say("one"))
    running, waiting = talk.say("two"), talk.say("never said")
    late = []

    def barge_in() -> None:
        workers.until_marked(running)
        late.append(talk.say("three", multitask_strategy=strategy))
        until(lambda: workers.runs[-1].stopped is not None)

    HOOKS["answer"] = barge_in
    assert talk.run(running, watch_seconds=0.05)["status"] == "cancelled"
    assert workers.row(waiting).status == "cancelled"
    assert talk.row.turn == late[0].job_id
    assert talk.said(late[0])[: 4 + len(kept)] == [*FIRST, *kept, "three"]


def test_a_turn_that_fails_before_its_first_mark_leaves_the_thread_as_it_was(workers: Rig) -> None:
    talk = turns(workers, "talk")
    talk.said(talk.say("one"))
    before = talk.row
    bad = talk.submit(input={"said": "no list"})
    assert talk.run(bad)["status"] in ("failed", "completed")
    if talk.row.head == before.head:
        assert talk.said(talk.say("two")) == SECOND


def test_another_owner_and_an_unknown_thread_are_404(workers: Rig) -> None:
    talk = turns(workers, "talk")
    with pytest.raises(Problem) as unknown:
        talk.say("one", if_not_exists=None)
    assert (unknown.value.status, unknown.value.code) == (404, "thread_not_found")
    aws = workers.aws
    theirs = workers.aws.new_job(owner="user-2", graph="talk")
    with pytest.raises(Problem) as foreign:
        Turns(workers, "talk", theirs.thread).say("one")
    assert foreign.value.code == "thread_not_found"
    assert aws.threads.get(theirs.thread) is None


@contextmanager
def racing(workers: Rig, rival: Callable[[], object]) -> Iterator[None]:
    """Have `rival` act right before the next transaction."""
    client = workers.aws.dynamodb
    transact = client.transact_write_items

    def late(**request: object) -> object:
        client.transact_write_items = transact
        rival()
        return transact(**request)

    client.transact_write_items = late
    try:
        yield
    finally:
        client.transact_write_items = transact


def test_a_stop_before_a_node_is_gone_on_from(workers: Rig) -> None:
    talk = turns(workers, "talk")
    done = talk.run(talk.say("one", interrupt_before=["answer"]))
    assert (done["status"], done["interrupts"]) == ("interrupted", [])
    assert done["result"]["said"] == ["one", "heard one"]
    assert talk.said(talk.submit()) == FIRST


def test_a_command_changes_the_state_and_says_where_to_go(workers: Rig) -> None:
    talk = turns(workers, "talk")
    talk.said(talk.say("one"))
    job = talk.submit(command={"update": {"said": ["by hand"]}, "goto": "answer"})
    assert talk.said(job) == [*FIRST, "by hand", "answer to 4"]


@SAVERS
@pytest.mark.parametrize("durability", ["sync", "exit"])
def test_either_durability_keeps_a_conversation(workers: Rig, durability: str, durable: bool) -> None:
    talk = turns(workers, "talk", durable=durable)
    talk.said(talk.say("one", durability=durability))
    assert talk.said(talk.say("two", durability=durability)) == SECOND


def test_twenty_turns_with_lost_workers_are_the_transcript_of_twenty_undisturbed_ones(workers: Rig) -> None:
    undisturbed, disturbed = turns(workers, "talk"), turns(workers, "talk", durable=True)
    chance = random.Random(7)
    for number in range(20):
        expected = undisturbed.said(undisturbed.say(f"turn {number}"))
        job = disturbed.say(f"turn {number}")
        # Whoever is lost in the second step may have left a mark before it: the first is not run again then.
        for step in chance.choice([[], [], ["listen"], ["answer"], ["listen", "answer"], ["answer", "answer"]]):
            lose(workers, job, step, durable=True)
        assert disturbed.said(job) == expected


def test_of_two_people_who_answer_at_once_exactly_one_is_heard(workers: Rig) -> None:
    """The second answer comes right before the first one's transaction."""
    approval = turns(workers, "approval")
    approval.run(approval.say("do it"))
    accepted: list[Job] = []
    refused: list[str] = []

    def answer(value: str) -> None:
        try:
            accepted.append(approval.reply(value))
        except Problem as problem:
            refused.append(problem.code)

    with racing(workers, lambda: answer("rival")):
        answer("first")
    assert len(accepted) == 1 and refused == ["thread_busy"]
    assert approval.said(accepted[0])[-2:] == ["approved: rival", "acted"]


def test_a_turn_that_ends_while_the_next_one_is_accepted_hands_itself_on(workers: Rig) -> None:
    talk = turns(workers, "talk")
    first = talk.say("one")
    with racing(workers, lambda: talk.run(first)):
        second = talk.say("two")
    assert talk.row.turn == second.job_id and not workers.row(second).waiting
    assert talk.said(second) == SECOND
