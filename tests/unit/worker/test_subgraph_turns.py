"""Turns of a thread whose subgraph keeps notes of its own there: each note is there once, whatever happens."""

from __future__ import annotations

import pytest

from graphjobs.aws.cancel import cancel
from graphjobs.core.job import Job
from tests.support.worker import keeping as worker_keeping
from tests.support.worker.graphs import HOOKS
from tests.support.worker.histories import history
from tests.support.worker.rig import Rig, until
from tests.support.worker.turns import SAVERS, Turns, lose, turns

pytestmark = pytest.mark.usefixtures("patient_updates")
FORMS = pytest.mark.parametrize("form", ["keeping", "calling", "deep"])
"""The subgraph is a node, called by one, or in a subgraph."""


@pytest.fixture(autouse=True)
def graphs(workers: Rig) -> None:
    workers.add_graphs({name: f"{worker_keeping.__name__}:{name}" for name in ("keeping", "calling", "deep", "rounds")})


def kept(talk: Turns, job: Job) -> str:
    """The notes that the job's turn ended with."""
    return talk.said(job)[-1].removeprefix("kept ")


@FORMS
@pytest.mark.parametrize("durability", ["sync", "exit"])
def test_either_durability_keeps_the_notes_over_turns_questions_and_forks(
    workers: Rig, form: str, durability: str
) -> None:
    talk = turns(workers, form, durable=True)
    assert kept(talk, talk.say("a", durability=durability)) == "a"
    first = talk.row.head
    assert first is not None
    talk.run(talk.say("b?", durability=durability))
    assert kept(talk, talk.reply("yes", durability=durability)) == "a b? yes"
    assert kept(talk, talk.say("c", durability=durability)) == "a b? yes c"
    assert kept(talk, talk.say("d", durability=durability, checkpoint_id=first.checkpoint_id)) == "a d"


@SAVERS
@FORMS
def test_an_answer_that_is_rolled_back_leaves_question_and_notes(workers: Rig, durable: bool, form: str) -> None:
    talk = turns(workers, form, durable=durable)
    kept(talk, talk.say("a"))
    (question,) = talk.run(talk.say("b?"))["interrupts"]
    wrong, aws = talk.reply("wrong"), workers.aws
    HOOKS["tell"] = lambda: (
        cancel(workers.row(wrong), aws.jobs, aws.transitions, clock=aws.clock, rollback=True) and None
    )
    assert talk.run(wrong)["status"] == "cancelled"
    assert kept(talk, talk.reply({question["id"]: "right"})) == "a b? right"
    assert kept(talk, talk.say("c")) == "a b? right c"


@SAVERS
@FORMS
@pytest.mark.parametrize("step", ["checked", "tell"])
def test_an_answer_whose_worker_is_lost_leaves_each_note_once(
    workers: Rig, durable: bool, form: str, step: str
) -> None:
    talk = turns(workers, form, durable=durable)
    kept(talk, talk.say("a"))
    talk.run(talk.say("b?"))
    yes = talk.reply("yes")
    lose(workers, yes, step, durable=durable)
    assert kept(talk, yes) == "a b? yes"
    assert kept(talk, talk.say("c")) == "a b? yes c"


@FORMS
@pytest.mark.parametrize(("end", "notes"), [("failed", "a b c"), ("cancelled", "a c")])
def test_a_step_that_failed_leaves_what_its_subgraph_had_noted_and_one_that_was_cancelled_nothing(
    workers: Rig, form: str, end: str, notes: str
) -> None:
    """The first as in LangGraph. In the second the step is void, as its events are."""
    talk = turns(workers, form, durable=True)
    kept(talk, talk.say("a"))
    job, aws = talk.say("b"), workers.aws

    def stop() -> None:
        if end == "failed":
            raise ValueError("no")
        cancel(workers.row(job), aws.jobs, aws.transitions, clock=aws.clock)
        until(lambda: workers.runs[-1].stopped is not None)

    HOOKS["checked"] = stop
    assert talk.run(job, watch_seconds=0.05)["status"] == end
    assert kept(talk, talk.say("c")) == notes
    assert history(talk)[0]["values"]["kept"] == notes


@pytest.mark.parametrize("fork", [False, True])
@pytest.mark.parametrize("lost", [0, 2])
def test_a_job_without_a_thread_that_asks_after_several_rounds_has_the_notes_of_all(
    workers: Rig, fork: bool, lost: int
) -> None:
    """Its older checkpoints make room for newer ones, but not the notes with which the step that asked has begun."""
    job = workers.job("rounds", {"said": ["a", "b", "c", "d", "e?"]})
    talk = Turns(workers, "rounds", job.thread, durable=True)
    for _ in range(lost):
        lose(workers, job, "checked", durable=True)
    (question,) = talk.run(job)["interrupts"]
    head = talk.row.head
    assert head is not None
    if fork:
        (question,) = talk.run(talk.submit(checkpoint_id=head.checkpoint_id))["interrupts"]
    assert kept(talk, talk.reply({question["id"]: "yes"})) == "a b c d e? yes"
