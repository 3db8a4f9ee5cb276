"""Somebody who operates the deployment: the documented commands, as processes, with the documented rights alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from deploy.cdk import STACK
from deploy.ministack import ACCOUNT
from tests.deployed.deployment import Deployment
from tests.support.operator_policy import operator_policy

ROLE: Final = "operator-of-the-tests"
POLICY: Final = "operator"
SECONDS: Final = 90.0
TRUST: Final = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    ],
}


class Operator:
    """Runs `graphjobs` on the stack, as a role that may do what OPERATIONS.md says and nothing else."""

    def __init__(self, deployment: Deployment, role: str) -> None:
        self._iam = deployment.emulator.client("iam")
        assumed = deployment.emulator.client("sts").assume_role(RoleArn=role, RoleSessionName=POLICY)["Credentials"]
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "GRAPHJOBS_"))}
        self._environ = {
            **inherited,
            **deployment.emulator.environ,
            "AWS_ACCESS_KEY_ID": assumed["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": assumed["SecretAccessKey"],
            "AWS_SESSION_TOKEN": assumed["SessionToken"],
        }

    def may_all_but(self, action: str | None) -> None:
        """Give the role the documented policy without `action`; with None the whole."""
        document = operator_policy(STACK)
        for statement in document["Statement"]:
            statement["Action"] = [each for each in statement["Action"] if each != action]
        self._may(document)

    def may_only(self, *statements: str) -> None:
        """Give the role these statements of the documented policy, by their names."""
        document = operator_policy(STACK)
        document["Statement"] = [each for each in document["Statement"] if each["Sid"] in statements]
        self._may(document)

    def _may(self, document: dict[str, Any]) -> None:
        for statement in document["Statement"]:
            # CloudFormation names a log group after its stack; the emulator puts the stack's name into a path.
            if "logs:FilterLogEvents" in statement["Action"]:
                statement["Resource"].append(f"arn:aws:logs:*:*:log-group:/aws/cloudformation/{STACK}/*")
        self._iam.put_role_policy(RoleName=ROLE, PolicyName=POLICY, PolicyDocument=json.dumps(document))

    def __call__(self, *arguments: str, code: int = 0) -> str:
        """What a command prints, errors too; it has to end with `code`."""
        done = subprocess.run(
            [sys.executable, "-m", "graphjobs.cli.main", *arguments, "--stack", STACK],
            env=self._environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            encoding="utf-8",
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == code, f"{' '.join(arguments)}: {done.returncode}\n{done.stdout}"
        return done.stdout

    def json(self, *arguments: str) -> Any:
        """The JSON that a command prints."""
        return json.loads(self(*arguments, "--json"))


@contextmanager
def operator(deployment: Deployment) -> Iterator[Operator]:
    """An operator; their role is removed at the end, since the stack must leave nothing behind."""
    iam = deployment.emulator.client("iam")
    role = iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    try:
        made = Operator(deployment, role)
        made.may_all_but(None)
        yield made
    finally:
        iam.delete_role_policy(RoleName=ROLE, PolicyName=POLICY)
        iam.delete_role(RoleName=ROLE)


@contextmanager
def schedule_off(deployment: Deployment) -> Iterator[None]:
    """No reconciler each minute: it erases what an operator's command was refused to."""
    events = deployment.emulator.client("events")
    rules = [rule["Name"] for rule in events.list_rules()["Rules"] if "Reconcile" in rule["Name"]]
    assert len(rules) == 1, rules
    events.disable_rule(Name=rules[0])
    try:
        yield
    finally:
        events.enable_rule(Name=rules[0])


Stored = dict[tuple[str, ...], dict[str, Any]]
"""By where it is: a table's output and its key, or the bucket's and an object."""

KEYS: Final = {
    "JobsTable": ("pk",),
    "EventsTable": ("job_id", "seq"),
    "CheckpointsTable": ("PK", "SK"),
    "StoreTable": ("PK", "SK"),
}


def stored(deployment: Deployment) -> Stored:
    """All items of all the stack's tables, and all objects of its bucket."""
    dynamodb, s3 = deployment.emulator.client("dynamodb"), deployment.emulator.client("s3")
    tables = {deployment.outputs[output] for output in KEYS}
    bucket = deployment.outputs["PayloadBucket"]
    assert set(dynamodb.list_tables()["TableNames"]) == tables, "a table that deletion knows nothing of"
    of_stack = {each["Name"] for each in s3.list_buckets()["Buckets"] if each["Name"].startswith(STACK)}
    assert of_stack == {bucket}, "a bucket that deletion knows nothing of"
    found: Stored = {}
    for output, keys in KEYS.items():
        for page in dynamodb.get_paginator("scan").paginate(TableName=deployment.outputs[output], ConsistentRead=True):
            for item in page["Items"]:
                found[output, *(str(next(iter(item[key].values()))) for key in keys)] = item
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for each in page.get("Contents", []):
            found["PayloadBucket", each["Key"]] = {"ETag": each["ETag"]}
    return found


def naming(found: Stored, names: set[str]) -> Stored:
    """What has one of `names` anywhere: in its key, or in what it holds."""
    return {where: item for where, item in found.items() if any(name in f"{where} {item}" for name in names)}
