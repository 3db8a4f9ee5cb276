"""Copies of the deployed worker with a queue of their own, and how a message of the deployment comes into one of them.

A copy has the worker's code, variables and rights, as far as a test does not change them, and its queue hides a message
for as long as the deployment's: what is seen of it is what the deployed worker would do.
"""

from __future__ import annotations

import io
import json
import time
import urllib.request
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any, Final

from botocore.exceptions import ClientError

from deploy.adapt import TEMPORARY
from deploy.ministack import MiniStack
from infra.release import ALIAS
from tests.deployed.deployment import Deployment

QUEUE_URL: Final = "GRAPHJOBS_QUEUE_URL"
WAIT_SECONDS: Final = 90.0
"""For a message: longer than a lease."""
MISSING: Final = {"AWS.SimpleQueueService.NonExistentQueue", "NoSuchEntity", "ResourceNotFoundException"}
"""What the services say of something that is not there."""


@dataclass(frozen=True)
class WorkerCopy:
    """A copy of the deployed worker: the function `name` and its queue."""

    name: str
    queue_url: str
    _emulator: MiniStack

    def give(self, message: str) -> None:
        """Put a message into its queue."""
        self._emulator.client("sqs").send_message(QueueUrl=self.queue_url, MessageBody=message)

    def begin(self) -> str:
        """Have it started without a message, as Lambda does in the init phase; what went wrong, if anything."""
        answer = self._emulator.client("lambda").invoke(
            FunctionName=self.name, Payload=json.dumps({"Records": []}).encode()
        )
        return str(json.loads(answer["Payload"].read())["errorMessage"]) if "FunctionError" in answer else ""

    def lines(self) -> list[dict[str, Any]]:
        """What it has logged, metrics too, as far as its invocations are over."""
        logs, group = self._emulator.client("logs"), f"/aws/lambda/{self.name}"
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        said = [event["message"] for page in pages for event in page["events"]]
        return [json.loads(line) for line in said if line.startswith("{")]


@contextmanager
def worker_copy(
    deployment: Deployment,
    name: str,
    *,
    variables: Mapping[str, str],
    bundle: bytes | None = None,
) -> Iterator[WorkerCopy]:
    """A copy of what is live of the worker; nothing of it is left at the end.

    Args:
        deployment: whose worker.
        name: of the copy, its queue and its role.
        variables: further ones, or others.
        bundle: in place of the deployed one.
    """
    client = deployment.emulator.client
    lambda_, sqs, iam, logs = client("lambda"), client("sqs"), client("iam"), client("logs")
    configuration = _live(deployment)["Configuration"]
    inherited = configuration["Environment"]["Variables"]
    mapping = _mapping(deployment)
    own = ["VisibilityTimeout", "QueueArn"]
    attributes = sqs.get_queue_attributes(QueueUrl=inherited[QUEUE_URL], AttributeNames=own)["Attributes"]
    with ExitStack() as made:
        hides = {"VisibilityTimeout": attributes["VisibilityTimeout"]}
        url = sqs.create_queue(QueueName=name, Attributes=hides)["QueueUrl"]
        made.callback(_remove, sqs.delete_queue, QueueUrl=url)
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=own)["Attributes"]["QueueArn"]
        source = configuration["Role"].rpartition("/")[2]
        role = made.enter_context(_copied_role(iam, source, name, {attributes["QueueArn"]: arn}))
        temporary = made.enter_context(TemporaryDirectory(prefix=f"{name}-", dir=deployment.folder))
        made.callback(_remove, logs.delete_log_group, logGroupName=f"/aws/lambda/{name}")
        lambda_.create_function(
            FunctionName=name,
            Role=role,
            Code={"ZipFile": bundle or bundle_of(deployment)},
            Environment={"Variables": {**inherited, QUEUE_URL: url, TEMPORARY: temporary, **variables}},
            **{each: configuration[each] for each in ("Runtime", "Handler", "Timeout", "MemorySize", "Architectures")},
        )
        made.callback(_remove, lambda_.delete_function, FunctionName=name)
        uuid = lambda_.create_event_source_mapping(
            FunctionName=name,
            EventSourceArn=arn,
            **{each: mapping[each] for each in ("BatchSize", "FunctionResponseTypes", "ScalingConfig")},
        )["UUID"]
        made.callback(_remove, lambda_.delete_event_source_mapping, UUID=uuid)
        yield WorkerCopy(name, url, deployment.emulator)


def bundle_of(deployment: Deployment, files: Mapping[str, str] | None = None) -> bytes:
    """The deployed worker's zip, with further `files`: their text by their path."""
    with urllib.request.urlopen(_live(deployment)["Code"]["Location"], timeout=60) as answer:
        bundle = io.BytesIO(answer.read())
    with zipfile.ZipFile(bundle, "a") as archive:
        for path, text in (files or {}).items():
            assert path not in archive.namelist()
            archive.writestr(path, text)
    return bundle.getvalue()


Taken = Callable[..., dict[str, str]]
"""Gives the messages of jobs, by the jobs' ids; waits for them."""


@contextmanager
def taken(deployment: Deployment) -> Iterator[Taken]:
    """For this time the deployed worker gets no messages: some are asked for here, the rest it gets afterwards."""
    lambda_, sqs = deployment.emulator.client("lambda"), deployment.emulator.client("sqs")
    url, uuid = deployment.outputs["QueueUrl"], _mapping(deployment)["UUID"]
    found: dict[str, dict[str, Any]] = {}

    def take(*job_ids: str) -> dict[str, str]:
        deadline = time.monotonic() + WAIT_SECONDS
        while not found.keys() >= set(job_ids):
            assert time.monotonic() < deadline, f"only the messages of {list(found)} have come"
            answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            found.update({json.loads(each["Body"])["job_id"]: each for each in answer.get("Messages", [])})
        messages = {job_id: found.pop(job_id) for job_id in job_ids}
        for message in messages.values():
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return {job_id: message["Body"] for job_id, message in messages.items()}

    lambda_.update_event_source_mapping(UUID=uuid, Enabled=False)
    try:
        yield take
    finally:
        for message in found.values():
            sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
        lambda_.update_event_source_mapping(UUID=uuid, Enabled=True)


def _live(deployment: Deployment) -> dict[str, Any]:
    lambda_ = deployment.emulator.client("lambda")
    found: dict[str, Any] = lambda_.get_function(FunctionName=deployment.functions()["worker"], Qualifier=ALIAS)
    return found


def _mapping(deployment: Deployment) -> dict[str, Any]:
    function = f"{deployment.functions()['worker']}:{ALIAS}"
    lambda_ = deployment.emulator.client("lambda")
    (mapping,) = lambda_.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]
    found: dict[str, Any] = mapping
    return found


def _remove(call: Callable[..., object], **what: str) -> None:
    try:
        call(**what)
    except ClientError as error:
        # The SDK makes a call again whose answer was lost.
        if error.response["Error"]["Code"] not in MISSING:
            raise


@contextmanager
def _copied_role(iam: Any, role: str, name: str, instead: Mapping[str, str]) -> Iterator[str]:
    """The ARN of a role with the policies of `role`, in which each key of `instead` is its value."""
    trust = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    with ExitStack() as made:
        made.callback(_remove, iam.delete_role, RoleName=name)
        for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
            document = json.dumps(iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"])
            for old, new in instead.items():
                assert old in document, f"the worker's role may do nothing with {old}"
                document = document.replace(old, new)
            iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=document)
            made.callback(_remove, iam.delete_role_policy, RoleName=name, PolicyName=policy)
        yield str(arn)
