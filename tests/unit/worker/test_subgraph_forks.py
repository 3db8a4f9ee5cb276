"""Forks of a thread whose subgraph keeps notes of its own there: each branch has exactly those of its own past."""

from __future__ import annotations

import pytest

from graphjobs.aws.bulk import BackendUnavailable
from graphjobs.core.job import Job
from graphjobs.http.problem import Problem
from tests.support.worker import keeping as worker_keeping
from tests.support.worker.graphs import HOOKS
from tests.support.worker.histories import history
from tests.support.worker.rig import Rig
from tests.support.worker.turns import SAVERS, Turns, lose, turns

pytestmark = pytest.mark.usefixtures("patient_updates")
FORMS = pytest.mark.parametrize("form", ["keeping", "calling"])
"""The subgraph is a node, or called by one."""


@pytest.fixture(autouse=True)
def graphs(workers: Rig) -> None:
    workers.add_graphs({name: f"{worker_keeping.__name__}:{name}" for name in ("keeping", "calling")})


def kept(talk: Turns, job: Job) -> str:
    """The notes that the job's turn ended with."""
    return talk.said(job)[-1].removeprefix("kept ")


def at(talk: Turns, said: int, following: str) -> str:
    """The newest checkpoint with so much said, which is followed by the node `following`; "" for none."""
    for state in history(talk):
        if len(state["values"].get("said", [])) == said and state["next"] == ([following] if following else []):
            return str(state["checkpoint_id"])
    raise AssertionError(history(talk))


@SAVERS
@FORMS
def test_a_fork_before_or_after_the_subgraphs_step_has_the_notes_of_then(
    workers: Rig, durable: bool, form: str
) -> None:
    talk = turns(workers, form, durable=durable)
    assert kept(talk, talk.say("a")) == "a"
    first = at(talk, 2, "")
    assert kept(talk, talk.say("b")) == "a b"
    before, after, old = at(talk, 3, "keep"), at(talk, 3, "tell"), at(talk, 4, "")
    assert kept(talk, talk.submit(checkpoint_id=before)) == "a b", "the step is run again, its note is there once"
    assert kept(talk, talk.submit(checkpoint_id=after)) == "a b"
    assert kept(talk, talk.say("c")) == "a b c", "on the branch that left behind the step"
    assert kept(talk, talk.say("d", checkpoint_id=first)) == "a d"
    assert kept(talk, talk.say("e")) == "a d e"
    assert kept(talk, talk.say("f", checkpoint_id=old)) == "a b f", "the old branch goes on with its own"


@SAVERS
@FORMS
def test_each_branchs_question_is_answered_on_its_own_branch(workers: Rig, durable: bool, form: str) -> None:
    talk = turns(workers, form, durable=durable)
    kept(talk, talk.say("a"))
    first = at(talk, 2, "")
    asked: dict[str, tuple[str, str]] = {}
    for word in ("b?", "c?"):
        (question,) = talk.run(talk.say(word, checkpoint_id=first))["interrupts"]
        assert question["value"] == f"keep {word}"
        asked[word] = (question["id"], talk.row.head.checkpoint_id if talk.row.head else "")
    (b, at_b), (c, at_c) = asked["b?"], asked["c?"]
    with pytest.raises(Problem) as elsewhere:
        talk.reply({b: "yes"})
    assert elsewhere.value.code == "no_such_interrupt", "it is asked on the branch that was left"
    assert kept(talk, talk.reply({b: "yes"}, checkpoint_id=at_b)) == "a b? yes"
    assert kept(talk, talk.say("d")) == "a b? yes d"
    assert kept(talk, talk.reply({c: "no"}, checkpoint_id=at_c)) == "a c? no"
    assert kept(talk, talk.say("e")) == "a c? no e"
    assert kept(talk, talk.reply({b: "never"}, checkpoint_id=at_b)) == "a b? never", "answered again, elsewhere"
    open_then = {each["checkpoint_id"]: [one["id"] for one in each["interrupts"]] for each in history(talk)}
    assert (open_then[at_b], open_then[at_c]) == ([b], [c])


@SAVERS
@FORMS
@pytest.mark.parametrize("step", ["note", "checked", "tell"])
def test_a_fork_whose_worker_is_lost_has_each_note_once(workers: Rig, durable: bool, form: str, step: str) -> None:
    talk = turns(workers, form, durable=durable)
    kept(talk, talk.say("a"))
    first = at(talk, 2, "")
    kept(talk, talk.say("b"))
    fork = talk.say("c", checkpoint_id=first)
    lose(workers, fork, step, durable=durable)
    assert kept(talk, fork) == "a c"
    assert kept(talk, talk.say("d")) == "a c d"


@SAVERS
@FORMS
def test_a_fork_at_a_question_with_the_step_begun_again_asks_again(workers: Rig, durable: bool, form: str) -> None:
    """Going on without an answer from the checkpoint before the step: the same question, under an id of its own."""
    talk = turns(workers, form, durable=durable)
    kept(talk, talk.say("a"))
    (question,) = talk.run(talk.say("b?"))["interrupts"]
    asked_at = talk.row.head
    assert asked_at is not None
    (again,) = talk.run(talk.submit(checkpoint_id=asked_at.checkpoint_id))["interrupts"]
    assert again["value"] == question["value"]
    assert kept(talk, talk.reply({again["id"]: "yes"})) == "a b? yes"
    assert kept(talk, talk.say("c")) == "a b? yes c"


@SAVERS
@FORMS
def test_a_question_of_a_fork_at_a_question_is_as_good_as_the_first(workers: Rig, durable: bool, form: str) -> None:
    talk = turns(workers, form, durable=durable)
    kept(talk, talk.say("a"))
    talk.run(talk.say("b?"))
    for _ in range(2):
        assert talk.row.head is not None
        (question,) = talk.run(talk.submit(checkpoint_id=talk.row.head.checkpoint_id))["interrupts"]
        assert question["value"] == "keep b?"
    assert kept(talk, talk.reply({question["id"]: "yes"})) == "a b? yes"


@SAVERS
@FORMS
def test_an_update_at_a_question_takes_back_what_the_subgraph_had_noted(workers: Rig, durable: bool, form: str) -> None:
    talk = turns(workers, form, durable=durable)
    kept(talk, talk.say("a"))
    talk.run(talk.say("b?"))
    talk.run(talk.update({"word": "c"}, as_node="hear"))
    talk.run(talk.update({"word": "d"}, as_node="hear"))
    assert kept(talk, talk.submit()) == "a d"
    assert kept(talk, talk.say("e")) == "a d e"


@FORMS
def test_a_step_that_could_not_be_saved_begins_with_the_notes_that_it_had_begun_with(workers: Rig, form: str) -> None:
    """How far it had got is saved as well, when its run ends: that is not where the next one begins."""
    talk = turns(workers, form, durable=True)
    kept(talk, talk.say("a"))
    job = talk.say("b")

    def fail() -> None:
        raise BackendUnavailable

    HOOKS["checked"] = fail
    with pytest.raises(BackendUnavailable):
        workers.worker(durable_saver=True).process(job)
    workers.lapse()
    assert kept(talk, job) == "a b"
    assert kept(talk, talk.say("c")) == "a b c"


@SAVERS
@FORMS
def test_a_fork_between_two_answers_has_the_notes_and_the_answers_of_then(
    workers: Rig, durable: bool, form: str
) -> None:
    """Both questions are of one step, so of one checkpoint: it is in the history as the later answer has left it."""
    talk = turns(workers, form, durable=durable)
    kept(talk, talk.say("a"))
    (one,) = talk.run(talk.say("b??"))["interrupts"]
    (two,) = talk.run(talk.reply({one["id"]: "yes"}))["interrupts"]
    between = talk.row.head
    assert between is not None and one["id"] != two["id"]
    assert kept(talk, talk.reply({two["id"]: "sure"})) == "a b?? yes sure"
    assert kept(talk, talk.reply({two["id"]: "no"}, checkpoint_id=between.checkpoint_id)) == "a b?? yes no"
    (again,) = talk.run(talk.submit(checkpoint_id=between.checkpoint_id))["interrupts"]
    (last,) = talk.run(talk.reply({again["id"]: "well"}))["interrupts"]
    assert kept(talk, talk.reply({last["id"]: "then"})) == "a b?? well then"
    assert kept(talk, talk.say("c")) == "a b?? well then c"
