"""A deployment while jobs run and streams are open, and the way back (`make deploy-local`)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from typing import Any, Final
from uuid import uuid4

from deploy.cdk import STACK, template_of
from deploy.steps import ROOT, say, step
from tests.chaos.invariants import kept as kept_of
from tests.deployed.deployment import Deployment
from tests.deployed.rehearsal import changed_graphs, digest_of, first_seen, made_at_the_end, viewers
from tests.deployed.workers import taken, worker_copy
from tests.e2e.user import User
from tests.e2e.wire import Event, check_whole
from tests.support.instance import described_target

ON_NEW_VERSION: Final = "GRAPHJOBS_ON_NEW_VERSION"


def test_a_deployment_and_the_way_back_lose_nothing_of_jobs_that_run(deployment: Deployment) -> None:
    """Given jobs of A that run, wait, are delayed or interrupted, when B is deployed, then each goes on to its end.

    The emulator keeps the processes of a published version for as long as it runs, one for each invocation at a time,
    and sends new invocations to the version that `live` names, as Lambda does. So a job whose worker lives ends on A;
    one whose worker is lost after the deployment (here its process is killed) is claimed by B, which does with it what
    `on_new_version` says: the deployed worker resumes at its mark, since that is the default, and two copies of it that
    are told otherwise begin again, and fail. What it cannot show: environments that Lambda retires by itself.
    The stream function is a process of its own here: the connections that are cut and resumed are its.
    """
    gate = deployment.folder / "gate"
    with (
        deployment.described() as described,
        User(target := described_target(described)) as user,
        viewers(target, 6) as watched,
        made_at_the_end(gate),
    ):
        with step("Jobs of version A, followed with cuts"):
            held: dict[str, Any] = {"graph": "held", "input": {"name": "held", "gate": str(gate)}}
            kept = user.submit(**held, thread_id=(thread := str(uuid4())), if_not_exists="create")
            waits = user.start(**held, thread_id=thread, multitask_strategy="enqueue")
            lost = {policy: user.start(**held) for policy in ("resume", "restart", "fail")}
            delayed = user.start(graph="fast", input={"name": "delayed"}, after_seconds=20)
            asked = user.submit(graph="approval", input={"said": ["go"]})
            assert user.finished(asked["job_id"])[-1]["data"]["status"] == "interrupted"
            jobs = [kept["job_id"], waits, delayed, *lost.values()]
            for job_id in jobs:
                watched.follow(job_id)
            pids = [first_seen(user, job_id, "waiting")["pid"] for job_id in lost.values()]
            first_seen(user, kept["job_id"], "waiting")
        with step("cdk deploy of version B meanwhile"):
            context = {**deployment.context, "graphs": changed_graphs(deployment.folder / "changed")}
            assembly, _ = deployment.cdk.synthesise("changed-assembly", context)
            deployment.cdk.deploy(assembly)
        of_a, of_b = digest_of(template_of(deployment.assembly)), digest_of(template_of(assembly))
        assert of_a != of_b
        with step("New jobs, answers and turns are B's"):
            assert user.finished(user.start(graph="fast", input={"name": "new"}))[0]["data"]["digest"] == of_b
            answer = user.start(thread_id=asked["thread_id"], command={"resume": "ann"})
            answered = user.finished(answer)
            assert answered[0]["data"]["digest"] == of_b
            assert answered[-1]["data"]["result"]["said"] == ["go", "approved by ann", "acted"]
        with step("Workers of A are lost: B resumes a job, begins one again and fails one"), ExitStack() as copies:
            with taken(deployment) as take:
                for pid in pids:
                    os.kill(pid, signal.SIGKILL)
                for policy in ("restart", "fail"):
                    told = worker_copy(deployment, f"new-version-{policy}", variables={ON_NEW_VERSION: policy})
                    copies.enter_context(told).give(take(lost[policy])[lost[policy]])
            attempts = [first_seen(user, lost[policy], "attempt") for policy in ("resume", "restart")]
            gate.touch()
            logs = {job_id: watched.seen(job_id) for job_id in jobs}
        assert [(each["reason"], each["digest"]) for each in attempts] == [("crash", of_b), ("new_version", of_b)]
        for job_id, events in logs.items():
            check_whole(events)
            user.check_log(job_id, events)
            status = "failed" if job_id == lost["fail"] else "completed"
            assert events[-1]["data"]["status"] == status
            assert types(kept_of(events)).count("ran") == 1
        assert {logs[job_id][0]["data"]["digest"] for job_id in (kept["job_id"], *lost.values())} == {of_a}
        assert logs[waits][0]["data"]["digest"] == of_b
        assert "attempt" not in types(logs[kept["job_id"]]), "a job that ran was disturbed"
        assert types(logs[lost["resume"]]).count("ran") == 1, "a completed step was run again"
        assert types(logs[lost["restart"]]).count("ran") == 2, "it has not begun again"
        assert types(logs[lost["fail"]])[-2:] == ["error", "done"]
        assert logs[lost["fail"]][-1]["data"]["error"]["code"] == "new_version"
        with step("Back to version A: python -m infra.releases STACK --back"):
            back(deployment)
            assert user.finished(user.start(graph="fast", input={"name": "back"}))[0]["data"]["digest"] == of_a


def types(events: list[Event]) -> list[str]:
    """The types of events."""
    return [event["type"] for event in events]


def back(deployment: Deployment) -> None:
    """Go back with the command that the documents give."""
    command = [sys.executable, "-m", "infra.releases", STACK, "--back"]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environ = {**inherited, **deployment.emulator.environ}
    said = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert said.returncode == 0, said.stderr
    say(f"    {said.stdout.strip()}")
