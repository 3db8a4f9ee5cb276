"""Who operates the deployment: the commands of docs/OPERATIONS.md, with the policy that it gives and no more."""

from __future__ import annotations

from deploy.steps import step
from tests.deployed.deployment import Deployment
from tests.deployed.operators import Stored, naming, operator, stored
from tests.e2e.user import User
from tests.support.instance import described_target


def of_jobs(deployment: Deployment, owner: str, *job_ids: str) -> Stored:
    """Everything in any table or bucket that names `owner` or one of the jobs."""
    return naming(stored(deployment), {owner, *(job_id.removeprefix("job-") for job_id in job_ids)})


def test_an_operator_looks_changes_and_erases_with_the_rights_that_the_documents_give(deployment: Deployment) -> None:
    with (
        deployment.described() as described,
        User(target := described_target(described)) as user,
        User(target, "user-2") as other,
        operator(deployment) as graphjobs,
    ):
        with step("Jobs of two users"):
            done = user.submit(graph="fast", input={"name": "done"})
            user.finished(done["job_id"])
            asks = user.submit(graph="approval", input={"said": ["go"]})
            user.finished(asks["job_id"])
            later, theirs = (each.start(graph="fast", input={"name": "x"}, after_seconds=600) for each in (user, other))
            kept = other.submit(graph="approval", input={"said": ["stay"]})
            other.finished(kept["job_id"])
        with step("graphjobs admin and graphjobs logs, each with the least rights"):
            graphjobs.may_only("Look")
            subjects = {each["job_id"]: each["owner"] for each in graphjobs.json("admin", "list", "--limit", "100")}
            owner = subjects[done["job_id"]]
            assert subjects[later] == subjects[asks["job_id"]] == owner != subjects[theirs] == subjects[kept["job_id"]]
            mine = graphjobs.json("admin", "list", "--owner", owner, "--limit", "100")
            assert {later, done["job_id"], asks["job_id"]} <= {each["job_id"] for each in mine}
            assert graphjobs.json("admin", "show", done["job_id"])["status"] == "completed"
            life = graphjobs("logs", done["job_id"])
            assert "claimed" in life and "finished" in life and "completed" in life
            assert "AccessDenied" in graphjobs("admin", "cancel", later, code=1)
            assert user.status(later)["status"] == "queued"
            graphjobs.may_only("Look", "Change")
            assert "it has ended as completed" in graphjobs("admin", "requeue", done["job_id"], code=1)
            graphjobs("admin", "cancel", theirs)
            assert other.status(theirs)["status"] == "cancelled"
            graphjobs("admin", "purge", done["job_id"])
            assert user.call("GET", f"/jobs/{done['job_id']}/status").status_code == 404
        with step("graphjobs admin erase, and every table and bucket after it"):
            before = of_jobs(deployment, subjects[kept["job_id"]], kept["job_id"])
            graphjobs.may_all_but(None)
            said = graphjobs("admin", "erase", "--owner", owner, "--yes")
            left = [str(item) for item in of_jobs(deployment, owner, done["job_id"], asks["job_id"], later).values()]
            # Marks of what was removed stay for a while, without content, since a worker that was lost may still write.
            assert "stay without content until" in said
            assert all("deleting" in each for each in left), left
            assert not any(text in each for each in left for text in ("approve", '"go"', "result"))
            assert of_jobs(deployment, subjects[kept["job_id"]], kept["job_id"]) == before
            assert other.status(kept["job_id"])["status"] == "interrupted"
