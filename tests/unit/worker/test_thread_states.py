"""States of threads: what the worker stores of its checkpoints, and what of it can be seen."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

import pytest
from langgraph.types import Command

from graphjobs.aws.cancel import cancel
from graphjobs.core.job import Job
from tests.support.worker import talks as worker_talks
from tests.support.worker.gate import Died, Gate, Phase
from tests.support.worker.graphs import HOOKS
from tests.support.worker.histories import FIRST, history, own_history, shape
from tests.support.worker.rig import Rig, until
from tests.support.worker.turns import SAVERS, Turns, turns

pytestmark = pytest.mark.usefixtures("patient_updates", "talks")


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
