"""Jobs that begin at a checkpoint of their thread, and jobs that change its state."""

from __future__ import annotations

import pytest

from graphjobs.aws.cancel import cancel
from graphjobs.http.problem import Problem
from tests.support.worker import talks as worker_talks
from tests.support.worker.graphs import HOOKS
from tests.support.worker.histories import FIRST, checkpoint, history, own_history, said_at, shape
from tests.support.worker.rig import Rig, until
from tests.support.worker.turns import SAVERS, turns

pytestmark = pytest.mark.usefixtures("patient_updates", "talks")


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


@pytest.mark.parametrize("row", ["is there", "has expired"])
def test_a_fork_from_a_running_job_that_is_rolled_back_finds_nothing(workers: Rig, row: str) -> None:
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
    if row == "has expired":
        workers.aws.dynamodb.delete_item(TableName="jobs", Key={"pk": {"S": f"job#{running.job_id}"}})
    assert talk.run(waiting[0])["error"]["code"] == "checkpoint_gone"
    assert history(talk)[0]["values"]["said"] == list(FIRST)


def test_a_fork_whose_origin_is_kept_begins_there_though_the_row_of_its_job_has_expired(workers: Rig) -> None:
    talk = turns(workers, "talk")
    first = talk.say("one")
    talk.said(first)
    talk.said(talk.say("two"))
    fork = talk.say("three", checkpoint_id=checkpoint(talk, *FIRST))
    workers.aws.dynamodb.delete_item(TableName="jobs", Key={"pk": {"S": f"job#{first.job_id}"}})
    assert talk.said(fork)[:5] == [*FIRST, "three", "heard three"]


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
