"""Who is told of a job's end (`make deploy-local`): an event bus, and a webhook of its caller's.

The whole way is the deployment's own: the table's stream with its filters, both functions in their roles, the queue.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final
from uuid import uuid4

from deploy.cdk import EVENT_BUS
from deploy.steps import step
from graphjobs.notify.deliver import FIRST_PAUSE_SECONDS
from infra.release import ALIAS
from infra.releases import LATEST
from tests.deployed.deployment import Deployment
from tests.deployed.receiver import receiving
from tests.e2e.user import User
from tests.support.instance import described_target

WAIT_SECONDS: Final = 60.0
QUIET_SECONDS: Final = 1


def test_the_bus_is_told_of_each_change_and_the_webhook_of_the_end_until_it_answers(deployment: Deployment) -> None:
    """The receiver fails once: the second try comes after the first pause, which the function's role has set."""
    lambda_ = deployment.emulator.client("lambda")
    secrets = deployment.emulator.client("secretsmanager")
    with (
        step("A job is told of on the bus, and at its webhook once that answers"),
        receiving(deployment.folder, 503, 204) as receiver,
        calling_this_machine(lambda_, deployment.functions()["deliver_webhook"], str(receiver.certificate)),
        told_on_the_bus(deployment.emulator.client) as told,
        deployment.described() as described,
        User(described_target(described)) as user,
    ):
        job_id = user.start(graph="fast", input={"name": "told"}, webhook=receiver.url)
        user.finished(job_id)
        tries = [receiver.next(), receiver.next()]
        events = told(job_id, "completed")
        status = user.status(job_id)
    keys = json.loads(secrets.get_secret_value(SecretId=deployment.outputs["WebhookSecretArn"])["SecretString"])
    assert all(each.is_signed(keys) for each in tries)
    assert {each.path for each in tries} == {"/hook?a=b"}
    assert [each.headers["webhook-id"] for each in tries] == [f"{job_id}.completed"] * 2
    first, second = (int(each.headers["webhook-timestamp"]) for each in tries)
    assert second - first >= FIRST_PAUSE_SECONDS - 1
    assert receiver.requests.empty()

    assert [event["detail"]["type"] for event in events] == ["job.queued", "job.running", "job.completed"]
    assert {(event["source"], event["detail-type"]) for event in events} == {
        ("graphjobs", "graphjobs Job Status Change")
    }
    assert json.loads(tries[0].body) == json.loads(tries[1].body) == events[-1]["detail"]
    data = events[-1]["detail"]["data"]
    assert data["previous_status"] == "running"
    same = ("job_id", "graph", "status", "created_at", "started_at", "finished_at")
    assert {name: data[name] for name in same} == {name: status[name] for name in same}


def test_a_webhook_that_leads_to_a_private_address_is_refused_by_the_deployed_function(deployment: Deployment) -> None:
    with (
        step("A webhook on this machine is refused"),
        receiving(deployment.folder, 204) as receiver,
        deployment.described() as described,
        User(described_target(described)) as user,
    ):
        job_id = user.start(graph="fast", input={"name": "refused"}, webhook=receiver.url)
        line = logged(deployment, "deliver_webhook", f"{job_id}.completed")
        assert receiver.requests.empty()
    assert line["message"] == "webhook refused"
    assert line["error"] == "the host of the webhook has a private address"


@contextmanager
def calling_this_machine(lambda_: Any, function: str, certificate: str) -> Iterator[None]:
    """For this time what is live of the function may call private addresses, and trusts `certificate`."""
    configuration = lambda_.get_function_configuration(FunctionName=function)
    live = lambda_.get_alias(FunctionName=function, Name=ALIAS)["FunctionVersion"]
    deployed = configuration["Environment"]["Variables"]
    assert deployed["GRAPHJOBS_WEBHOOK_HOSTS"] == "public"
    here = {**deployed, "GRAPHJOBS_WEBHOOK_HOSTS": "any", "SSL_CERT_FILE": certificate}
    lambda_.update_function_configuration(FunctionName=function, Environment={"Variables": here})
    lambda_.update_alias(FunctionName=function, Name=ALIAS, FunctionVersion=LATEST)
    try:
        yield
    finally:
        lambda_.update_alias(FunctionName=function, Name=ALIAS, FunctionVersion=live)
        lambda_.update_function_configuration(FunctionName=function, Environment={"Variables": deployed})


@contextmanager
def told_on_the_bus(client: Callable[[str], Any]) -> Iterator[Callable[[str, str], list[dict[str, Any]]]]:
    """What gives the events of a job in the order of the bus, to that of the status at which it is awaited."""
    sqs, events = client("sqs"), client("events")
    name = f"told-{uuid4()}"
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = json.dumps({"source": ["graphjobs"]})
    rule = events.put_rule(Name=name, EventBusName=EVENT_BUS, EventPattern=pattern)["RuleArn"]
    allowed = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    events.put_targets(Rule=name, EventBusName=EVENT_BUS, Targets=[{"Id": "queue", "Arn": arn}])

    def told(job_id: str, until: str) -> list[dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        deadline = time.monotonic() + WAIT_SECONDS
        while f"{job_id}.{until}" not in found:
            assert time.monotonic() < deadline, f"only {list(found)} were told"
            answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=QUIET_SECONDS)
            for message in answer.get("Messages", []):
                event = json.loads(message["Body"])
                if event["detail"]["data"]["job_id"] == job_id:
                    assert found.setdefault(event["detail"]["id"], event)["detail"] == event["detail"]
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return list(found.values())

    try:
        yield told
    finally:
        events.remove_targets(Rule=name, EventBusName=EVENT_BUS, Ids=["queue"])
        events.delete_rule(Name=name, EventBusName=EVENT_BUS)
        sqs.delete_queue(QueueUrl=queue)


def logged(deployment: Deployment, function: str, change: str) -> dict[str, Any]:
    """The line that the function has logged of a change; waits for it."""
    name = deployment.functions()[function]
    configuration = deployment.emulator.client("lambda").get_function_configuration(FunctionName=name)
    group, logs = configuration["LoggingConfig"]["LogGroup"], deployment.emulator.client("logs")
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        lines = [event["message"] for page in pages for event in page["events"] if change in event["message"]]
        if lines:
            line: dict[str, Any] = json.loads(lines[0])
            return line
        assert time.monotonic() < deadline, f"{function} has logged nothing of {change}"
        time.sleep(0.2)
