"""Who operates the deployment: the commands of docs/OPERATIONS.md, with the policy that it gives and no more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from deploy.cdk import STACK
from deploy.steps import step
from tests.deployed.deployment import Deployment
from tests.e2e.user import User
from tests.support.instance import described_target
from tests.support.operator_policy import operator_policy

NOBODY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
}


@dataclass(frozen=True)
class Operator:
    """Runs `graphjobs` against the stack with credentials of its own."""

    environ: dict[str, str]

    def __call__(self, *arguments: str, code: int = 0) -> str:
        """What it prints, errors too; it has to end with `code`."""
        done = subprocess.run(
            [sys.executable, "-m", "graphjobs.cli.main", *arguments, "--stack", STACK],
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            encoding="utf-8",
            timeout=120,
        )
        assert done.returncode == code, done.stdout
        return done.stdout

    def json(self, *arguments: str) -> Any:
        """The JSON that it prints."""
        return json.loads(self(*arguments, "--json"))


@contextmanager
def operator(deployment: Deployment, statements: Callable[[str], bool]) -> Iterator[Operator]:
    """Somebody with those statements of the documented policy whose names `statements` takes."""
    iam = deployment.emulator.client("iam")
    document = operator_policy(STACK)
    # CloudFormation names a log group as it names a table; MiniStack does not.
    document["Statement"][0]["Resource"].append(f"arn:aws:logs:*:*:log-group:/aws/cloudformation/{STACK}/*")
    document["Statement"] = [each for each in document["Statement"] if statements(each["Sid"])]
    name = "operator-" + "-".join(each["Sid"] for each in document["Statement"])
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(NOBODY))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="operator", PolicyDocument=json.dumps(document))
    try:
        assumed = deployment.emulator.client("sts").assume_role(RoleArn=role, RoleSessionName="operator")
        keys = assumed["Credentials"]
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "GRAPHJOBS_"))}
        yield Operator(
            {
                **inherited,
                **deployment.emulator.environ,
                "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
                "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
                "AWS_SESSION_TOKEN": keys["SessionToken"],
            }
        )
    finally:
        iam.delete_role_policy(RoleName=name, PolicyName="operator")
        iam.delete_role(RoleName=name)


def stored(deployment: Deployment, owner: str, job_ids: list[str]) -> list[str]:
    """Everything in any table or bucket of the account that names `owner` or one of the jobs."""
    names = [owner, *(job_id.removeprefix("job-") for job_id in job_ids)]
    dynamodb, s3 = deployment.emulator.client("dynamodb"), deployment.emulator.client("s3")
    found = []
    for table in dynamodb.list_tables()["TableNames"]:
        for page in dynamodb.get_paginator("scan").paginate(TableName=table):
            found += [f"{table}: {item}" for item in page["Items"] if any(name in str(item) for name in names)]
    for bucket in s3.list_buckets()["Buckets"]:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket["Name"]):
            keys = [each["Key"] for each in page.get("Contents", [])]
            found += [f"{bucket['Name']}: {key}" for key in keys if any(name in key for name in names)]
    return found


def test_an_operator_looks_changes_and_erases_with_the_rights_that_the_documents_give(deployment: Deployment) -> None:
    with (
        deployment.described() as described,
        User(target := described_target(described)) as user,
        User(target, "user-2") as other,
        operator(deployment, lambda name: name == "Look") as looks,
        operator(deployment, lambda name: name in ("Look", "Change")) as changes,
        operator(deployment, lambda name: True) as erases,
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
            subjects = {each["job_id"]: each["owner"] for each in looks.json("admin", "list", "--limit", "100")}
            owner = subjects[done["job_id"]]
            assert subjects[later] == subjects[asks["job_id"]] == owner != subjects[theirs] == subjects[kept["job_id"]]
            mine = looks.json("admin", "list", "--owner", owner, "--limit", "100")
            assert {later, done["job_id"], asks["job_id"]} <= {each["job_id"] for each in mine}
            assert looks.json("admin", "show", done["job_id"])["status"] == "completed"
            life = looks("logs", done["job_id"])
            assert "claimed" in life and "finished" in life and "completed" in life
            assert "AccessDenied" in looks("admin", "cancel", later, code=1)
            assert user.status(later)["status"] == "queued"
            assert "it has ended as completed" in changes("admin", "requeue", done["job_id"], code=1)
            changes("admin", "cancel", theirs)
            assert other.status(theirs)["status"] == "cancelled"
            changes("admin", "purge", done["job_id"])
            assert user.call("GET", f"/jobs/{done['job_id']}/status").status_code == 404
        with step("graphjobs admin erase, and every table and bucket after it"):
            before = stored(deployment, subjects[kept["job_id"]], [kept["job_id"]])
            said = erases("admin", "erase", "--owner", owner, "--yes")
            left = stored(deployment, owner, [done["job_id"], asks["job_id"], later])
            # Marks of what was removed stay for a while, without content, since a worker that was lost may still write.
            assert "stay without content until" in said
            assert all("deleting" in each for each in left), left
            assert not any(text in each for each in left for text in ("approve", '"go"', "result"))
            assert stored(deployment, subjects[kept["job_id"]], [kept["job_id"]]) == before
            assert other.status(kept["job_id"])["status"] == "interrupted"
