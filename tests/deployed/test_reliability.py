"""Workers that cannot start: what their jobs and those on call are told (`make deploy-local`).

The jobs were begun with the first test of all; this file comes late, so that nobody waits for them.
"""

from __future__ import annotations

from contextlib import closing
from typing import Any

from deploy.cdk import STAGE
from deploy.steps import step
from tests.deployed.deployment import Deployment
from tests.deployed.starts import KILLED, MAX_STARTS, RAISING, UNHARMED, UNREADABLE, Starts
from tests.e2e.user import User, eventually


def test_a_worker_that_cannot_start_costs_its_job_seconds_each_time_and_the_last_start_says_why(
    deployment: Deployment, starts: Starts
) -> None:
    """Given a bundle that cannot be read, one that kills its process at import and one with a graph that raises there,
    when jobs of each are taken, then the last one fails its own jobs alone, and at once; of the others the message
    comes back within seconds, and the last of `max_starts` ends the job.

    Each queue hides a message for as long as the deployment's, a quarter of an hour: one that nobody looked after
    would not come back before the tests have ended.
    """
    with closing(starts), deployment.described() as described, starts.seen_by(described) as user:
        with step("A graph that raises at import fails its own jobs, at once"):
            events = user.finished(starts.jobs[RAISING])
            error = {"code": "graph_unavailable", "message": "The graph could not be loaded.", "type": "RuntimeError"}
            assert events[-1]["data"] == {"status": "failed", "result": None, "error": error}
            assert "attempt" not in {event["type"] for event in events}
            assert user.finished(starts.jobs[UNHARMED])[-1]["data"]["status"] == "completed"
        with step("A worker that cannot start ends its job after the last start"):
            check_failed(user, starts.jobs[UNREADABLE], "LangGraphJsonInvalid")
            check_failed(user, starts.jobs[KILLED], "WorkerDied")
            check_told(starts, UNREADABLE, "unreadable.json is not JSON")
            check_told(starts, KILLED, "an earlier start in this environment ended the process")


def check_failed(user: User, job_id: str, kind: str) -> None:
    """The job has failed since no worker could be started for it; its stream is whole, and names the exception."""
    metadata, done = user.finished(job_id)
    error = {"code": "worker_init", "message": "No worker could be started for the job.", "type": kind}
    assert (metadata["type"], done["data"]) == ("metadata", {"status": "failed", "result": None, "error": error})
    assert user.status(job_id)["error"] == error


def check_told(starts: Starts, name: str, cause: str) -> None:
    """Each start has one line with job, count and cause, and is in the metric of the alarm `WorkerStart`."""
    job_id, copy = starts.jobs[name], starts.copies[name]

    def lines() -> list[dict[str, Any]]:
        return [line for line in copy.lines() if line.get("job_id") == job_id]

    eventually(lambda: len(lines()) >= MAX_STARTS, f"the lines of {MAX_STARTS} starts")
    said = [(line["starts"], line["status"], line.get("code")) for line in lines()]
    assert said == [*((n, "queued", None) for n in range(1, MAX_STARTS)), (MAX_STARTS, "failed", "worker_init")]
    assert all(cause in line["cause"] for line in lines())
    counted = [line for line in copy.lines() if "_aws" in line]
    for metric, count in (("StartFailures", MAX_STARTS), ("JobsFailed", 1)):
        (where,) = {
            (each["Namespace"], *each["Dimensions"][0], line["service"])
            for line in counted
            for each in line["_aws"]["CloudWatchMetrics"]
            if metric in {one["Name"] for one in each["Metrics"]}
        }
        assert where == (f"graphjobs/{STAGE}", "service", "worker")
        assert sum(sum(line.get(metric, [])) for line in counted) == count
