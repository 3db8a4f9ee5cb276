"""Whose jobs are bounded, what deletion leaves, and what each of an operator's rights is for (`make deploy-local`).

The operator's commands are processes with the credentials of a role that has the policy of OPERATIONS.md, which the
emulator enforces.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any, Final
from uuid import uuid4

import pytest

from deploy.cdk import MAX_ACTIVE_JOBS
from deploy.steps import say, step
from graphjobs.aws.owner_limit import OwnerLimit
from tests.deployed.deployment import Deployment
from tests.deployed.operators import Operator, naming, operator, schedule_off, stored
from tests.deployed.rehearsal import first_seen
from tests.e2e.user import User, eventually
from tests.support.instance import Target, described_target
from tests.support.operator_policy import operator_policy

LONG: Final = 3_600
"""Seconds until a job may begin that is never to run here."""

NOISE: Final = random.Random(1).randbytes(110_000).hex()
"""Too much for an item, said more than once: its slots and checkpoints are in S3."""


@pytest.fixture(scope="module")
def target(deployment: Deployment) -> Iterator[Target]:
    """The deployment as two users see it, whom only this module has."""
    with deployment.described() as described:
        yield described_target(described)


@pytest.fixture
def user(target: Target) -> Iterator[User]:
    """Whose data are erased at the end."""
    with User(target) as user:
        yield user


@pytest.fixture
def other(target: Target) -> Iterator[User]:
    """Whose data stay."""
    with User(target, "user-2") as user:
        yield user


@pytest.fixture(scope="module")
def operated(deployment: Deployment) -> Iterator[Operator]:
    """The operator."""
    with operator(deployment) as made:
        yield made


def owner_of(operated: Operator, job_id: str) -> str:
    """The owner, as the tokens name them."""
    return str(operated.json("admin", "show", job_id)["owner"])


def test_an_operator_sends_a_lost_message_again_and_sees_nothing_of_what_users_wrote(
    deployment: Deployment, operated: Operator, user: User
) -> None:
    with step("graphjobs admin requeue, for a job whose message is lost; graphjobs logs of it"):
        secret = f"secret {uuid4()}"
        job = lost_message(deployment, user, name=secret)
        eventually(
            lambda: operated.json("admin", "show", job)["next"] == "its first message begins attempt 1", "it is due"
        )
        assert "sent again" in operated("admin", "requeue", job)
        assert user.finished(job)[-1]["data"]["status"] == "completed"
        shown, life = operated("admin", "show", job, "--json"), operated("logs", job, "--json")
        assert json.loads(shown)["next"] == "it has ended as completed"
        check_life([json.loads(line) for line in life.splitlines()])
        assert secret not in shown + life


def lost_message(deployment: Deployment, user: User, **given: str) -> str:
    """A job whose message is lost, and which is to begin in a moment."""
    job_id = user.start(graph="fast", input=given, after_seconds=3)
    deployment.emulator.client("sqs").purge_queue(QueueUrl=deployment.outputs["QueueUrl"])
    return job_id


def check_life(moments: list[dict[str, Any]]) -> None:
    """What a job that went well has in its life, from all three sources."""
    told = {(moment["source"], moment["what"]) for moment in moments}
    for moment in (("row", "created"), ("events", "metadata"), ("worker", "claimed"), ("worker", "finished")):
        assert moment in told
    assert moments == sorted(moments, key=lambda moment: str(moment["at"]))


def test_a_running_job_and_a_conversation_are_deleted_with_all_that_is_kept_of_them(
    deployment: Deployment, user: User, other: User
) -> None:
    """Here and not among the acceptance tests, which see only the tables that a target names."""
    with step("DELETE of a running job and of a conversation"):
        thread = str(uuid4())
        turn = user.submit(graph="dialogue", input={"said": ["hello"]}, thread_id=thread, if_not_exists="create")[
            "job_id"
        ]
        kept = other.start(graph="fast", input={})
        running = user.start(graph="held", input={"name": "deleted", "gate": str(deployment.folder / "never")})
        user.finished(turn)
        other.finished(kept)
        first_seen(user, running, "waiting")
        before = naming(stored(deployment), {kept})
        assert user.call("DELETE", f"/jobs/{running}").status_code == 202
        assert user.call("DELETE", f"/threads/{thread}").status_code == 204
        for path in (f"/jobs/{running}/status", f"/threads/{thread}"):
            assert user.call("GET", path).status_code == 404
        marks = {("JobsTable", f"job#{running}"), ("JobsTable", f"job#{turn}"), ("JobsTable", f"thread#{thread}")}

        def erased() -> bool:
            reconcile(deployment)
            return naming(stored(deployment), {running, turn, thread}).keys() <= marks

        eventually(erased, "nothing but rows without content is left")
        assert user.call("GET", f"/jobs/{turn}/status").status_code == 404
        assert naming(stored(deployment), {kept}) == before


def reconcile(deployment: Deployment) -> None:
    """Run the reconciler now, as OPERATIONS.md says one may at any time."""
    name = deployment.functions()["reconcile"]
    answer = deployment.emulator.client("lambda").invoke(FunctionName=name, Qualifier="live")
    assert "FunctionError" not in answer, answer["Payload"].read()


def test_an_owner_with_too_many_jobs_is_refused_until_one_has_ended(user: User, other: User) -> None:
    def submit(who: User) -> Any:
        return who.call("POST", "/jobs", json={"graph": "fast", "input": {}, "after_seconds": LONG})

    with step(f"max_active_jobs: {MAX_ACTIVE_JOBS}"):
        accepted = [submit(other) for _ in range(MAX_ACTIVE_JOBS)]
        assert {response.status_code for response in accepted} == {202}
        refused = submit(other)
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_active_jobs")
        assert int(refused.headers["Retry-After"]) > 0
        assert submit(user).status_code == 202, "somebody else's are not counted"
        assert other.cancel(accepted[0].json()["job_id"]).status_code == 200
        assert submit(other).status_code == 202


def test_each_action_of_the_operators_policy_is_needed_and_what_is_erased_is_gone(
    deployment: Deployment, operated: Operator, user: User, other: User
) -> None:
    """Given the policy without one action, the command that needs it is refused; given the whole, all is erased.

    A command that fails changes nothing that the next ones need: what erasing has done before it was refused stays
    done, so its actions are taken away in the order in which they are needed.
    """
    large = user.start(graph="fast", input={"name": NOISE})
    user.finished(large)
    owner, others = owner_of(operated, large), other.newest()
    assert others
    theirs = owner_of(operated, others)
    table, dynamodb = deployment.outputs["StoreTable"], deployment.emulator.client("dynamodb")
    for each in (owner, theirs):
        dynamodb.put_item(TableName=table, Item={"PK": {"S": each}, "SK": {"S": ".key"}})
    queued = user.start(
        graph="fast",
        input={},
        after_seconds=LONG,
    )
    keyed = user.submit(graph="fast", input={}, after_seconds=LONG, key=str(uuid4()))["job_id"]
    lost = lost_message(deployment, user)
    erase = ("admin", "erase", "--owner", owner, "--yes", "--wait", "1")
    refused = {
        "cloudformation:ListStackResources": ("admin", "list"),
        "lambda:GetFunctionConfiguration": ("admin", "list"),
        "dynamodb:Scan": ("admin", "list"),
        "dynamodb:Query": ("admin", "list", "--owner", owner),
        "dynamodb:GetItem": ("admin", "show", large),
        "s3:GetObject": ("logs", large),
        "logs:FilterLogEvents": ("logs", large),
        "dynamodb:PutItem": ("admin", "cancel", queued),
        "dynamodb:UpdateItem": ("admin", "cancel", queued),
        "sqs:SendMessage": ("admin", "requeue", lost),
        "dynamodb:BatchWriteItem": erase,
        "s3:ListBucket": erase,
        "s3:DeleteObject": erase,
        "dynamodb:DeleteItem": erase,
    }
    assert refused.keys() == {action for each in operator_policy()["Statement"] for action in each["Action"]}
    mine = {job["job_id"] for job in operated.json("admin", "list", "--owner", owner, "--limit", "1000")}
    assert {large, queued, keyed, lost} <= mine
    with step(f"Each of the {len(refused)} actions of the operator's policy taken away"), schedule_off(deployment):
        for action, command in refused.items():
            say(f"    without {action}: {' '.join(command[:2])}")
            operated.may_all_but(action)
            assert "AccessDenied" in operated(*command, code=1), f"{command} fails otherwise without {action}"
        operated.may_all_but(None)
    found = stored(deployment)
    jobs = {job["job_id"] for job in operated.json("admin", "list", "--owner", theirs, "--limit", "1000")}
    kept = naming(found, {theirs, *jobs})
    assert {where[0] for where in kept} == {"JobsTable", "EventsTable", "StoreTable", "CheckpointsTable"}
    with step("graphjobs admin erase --owner, and a look into every table and the bucket"):
        running = user.start(graph="held", input={"name": "erased", "gate": str(deployment.folder / "never")})
        first_seen(user, running, "waiting")
        erased = operated.json("admin", "erase", "--owner", owner, "--yes")
        assert erased["left"] == {}
        after = stored(deployment)
        counter = OwnerLimit(deployment.outputs["JobsTable"]).key(owner)["pk"]["S"]
        assert naming(found, {counter}), "it is counted how many jobs the owner has"
        left = naming(after, {owner, counter, running, *mine})
        assert {where[1].partition("#")[2] for where in left} <= erased["marks"].keys(), left.keys()
        assert all(where[0] == "JobsTable" and where[1].startswith(("job#", "thread#")) for where in left)
        assert {running, large} <= erased["marks"].keys()
        assert not naming(after, {NOISE[:100]})
        assert naming(after, {theirs, *jobs}) == kept
        say(f"    removed {erased['removed']}, marks {len(erased['marks'])}")
