"""Each function's role, tried: what `infra.permissions` lists is allowed, and everything else here is refused.

The calls carry conditions that cannot hold or values that are never valid, so an allowed one changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import ClientError

from deploy.cdk import EVENT_BUS
from deploy.steps import Failed
from graphjobs.aws.schema import ACTIVE_INDEX, BY_OWNER_INDEX
from graphjobs.core.manifest import FUNCTIONS
from infra.permissions import PERMISSIONS

Outputs = Mapping[str, str]
Client = Callable[[str], Any]

REFUSED: Final = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedException"})
NOWHERE: Final = "no-such-item"
PREFIXES: Final = ("events", "checkpoints", "inputs", "states")
"""Of the objects in the bucket."""
NEVER: Final = 100_000
"""Seconds of delay, which no message may have, and messages, which nobody may ask for at once."""

STREAM: Final = "jobs/stream/*"
OF_A_STREAM: Final = ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")
"""The emulator takes these calls for ones on all resources, so it is asked what it makes of the role's policies."""


@dataclass(frozen=True)
class Probe:
    """One call: `action` on `resource`, both by their names in `infra.permissions`."""

    resource: str
    action: str
    call: Callable[[Client, Outputs], object]


def _table_probes(resource: str, output: str, key: Mapping[str, Any]) -> list[Probe]:
    partition = next(iter(key))
    never = {"ConditionExpression": f"attribute_exists({partition})"}
    query = {"KeyConditionExpression": f"{partition} = :p", "ExpressionAttributeValues": {":p": {"S": NOWHERE}}}
    return [
        Probe(resource, "dynamodb:GetItem", lambda c, o: c("dynamodb").get_item(TableName=o[output], Key=key)),
        Probe(
            resource, "dynamodb:PutItem", lambda c, o: c("dynamodb").put_item(TableName=o[output], Item=key, **never)
        ),
        Probe(
            resource,
            "dynamodb:UpdateItem",
            lambda c, o: c("dynamodb").update_item(
                TableName=o[output],
                Key=key,
                UpdateExpression="SET probed = :t",
                ExpressionAttributeValues={":t": {"BOOL": True}},
                **never,
            ),
        ),
        Probe(
            resource,
            "dynamodb:DeleteItem",
            lambda c, o: c("dynamodb").delete_item(TableName=o[output], Key=key, **never),
        ),
        Probe(
            resource,
            "dynamodb:BatchGetItem",
            lambda c, o: c("dynamodb").batch_get_item(RequestItems={o[output]: {"Keys": [key]}}),
        ),
        Probe(
            resource,
            "dynamodb:BatchWriteItem",
            lambda c, o: c("dynamodb").batch_write_item(RequestItems={o[output]: [{"DeleteRequest": {"Key": key}}]}),
        ),
        Probe(resource, "dynamodb:Query", lambda c, o: c("dynamodb").query(TableName=o[output], **query)),
        Probe(resource, "dynamodb:Scan", lambda c, o: c("dynamodb").scan(TableName=o[output], Limit=1)),
    ]


def _index_probe(index: str, partition: str) -> Probe:
    return Probe(
        f"jobs/index/{index}",
        "dynamodb:Query",
        lambda c, o: c("dynamodb").query(
            TableName=o["JobsTable"],
            IndexName=index,
            KeyConditionExpression="#p = :p",
            ExpressionAttributeNames={"#p": partition},
            ExpressionAttributeValues={":p": {"S": NOWHERE}},
        ),
    )


def _object_probes(prefix: str) -> list[Probe]:
    resource = f"bucket/{prefix}/*"
    return [
        Probe(
            resource,
            "s3:GetObject",
            lambda c, o: c("s3").get_object(Bucket=o["PayloadBucket"], Key=f"{prefix}/probe"),
        ),
        Probe(
            resource,
            "s3:DeleteObject",
            lambda c, o: c("s3").delete_object(Bucket=o["PayloadBucket"], Key=f"{prefix}/{NOWHERE}"),
        ),
    ]


def _queue_probes(resource: str, output: str) -> list[Probe]:
    handle = {"ReceiptHandle": NOWHERE}
    return [
        Probe(
            resource,
            "sqs:SendMessage",
            lambda c, o: c("sqs").send_message(QueueUrl=o[output], MessageBody="probe", DelaySeconds=NEVER),
        ),
        Probe(
            resource,
            "sqs:ReceiveMessage",
            lambda c, o: c("sqs").receive_message(QueueUrl=o[output], MaxNumberOfMessages=NEVER),
        ),
        Probe(
            resource,
            "sqs:ChangeMessageVisibility",
            lambda c, o: c("sqs").change_message_visibility(QueueUrl=o[output], VisibilityTimeout=0, **handle),
        ),
        Probe(resource, "sqs:DeleteMessage", lambda c, o: c("sqs").delete_message(QueueUrl=o[output], **handle)),
        Probe(
            resource,
            "sqs:GetQueueAttributes",
            lambda c, o: c("sqs").get_queue_attributes(QueueUrl=o[output], AttributeNames=["QueueArn"]),
        ),
        Probe(resource, "sqs:PurgeQueue", lambda c, o: c("sqs").purge_queue(QueueUrl=o[output])),
    ]


def _secret_probe(resource: str, output: str) -> Probe:
    return Probe(
        resource,
        "secretsmanager:GetSecretValue",
        lambda c, o: c("secretsmanager").get_secret_value(SecretId=o[output]),
    )


def _event_probe() -> Probe:
    entry = {"EventBusName": EVENT_BUS, "Source": "probe", "DetailType": "probe", "Detail": "not JSON"}
    return Probe("event_bus", "events:PutEvents", lambda c, o: c("events").put_events(Entries=[entry]))


PROBES: Final = (
    *_table_probes("jobs", "JobsTable", {"pk": {"S": NOWHERE}}),
    *_table_probes("events", "EventsTable", {"job_id": {"S": NOWHERE}, "seq": {"N": "1"}}),
    *_table_probes("checkpoints", "CheckpointsTable", {"PK": {"S": NOWHERE}, "SK": {"S": NOWHERE}}),
    *_table_probes("store", "StoreTable", {"PK": {"S": NOWHERE}, "SK": {"S": NOWHERE}}),
    _index_probe(BY_OWNER_INDEX, "owner"),
    _index_probe(ACTIVE_INDEX, "active"),
    *(probe for prefix in PREFIXES for probe in _object_probes(prefix)),
    Probe("bucket", "s3:ListBucket", lambda c, o: c("s3").list_objects_v2(Bucket=o["PayloadBucket"], Prefix=NOWHERE)),
    *_queue_probes("queue", "QueueUrl"),
    *_queue_probes("webhooks", "WebhooksUrl"),
    *_queue_probes("untold", "UntoldUrl"),
    _secret_probe("ticket_secret", "TicketSecretArn"),
    _secret_probe("webhook_secret", "WebhookSecretArn"),
    _event_probe(),
)


def check_roles(
    administrator: Client, assume: Callable[[str], Client], roles: Mapping[str, str], outputs: Outputs
) -> int:
    """Try every probe as every function; how many calls were tried.

    Args:
        administrator: makes clients that may do everything.
        assume: gives what makes clients as a role.
        roles: the functions' roles by their names in `infra.permissions`.
        outputs: of the stack.

    Raises:
        Failed: a call was allowed that should not be, or the other way round; all of them are in the message.
    """
    # Asked for an object that is not there, S3 refuses whoever may not list: these are.
    for prefix in PREFIXES:
        administrator("s3").put_object(Bucket=outputs["PayloadBucket"], Key=f"{prefix}/probe", Body=b"probe")
    table = administrator("dynamodb").describe_table(TableName=outputs["JobsTable"])["Table"]
    stream = str(table["LatestStreamArn"])
    wrong = []
    deployed = [name for name, spec in FUNCTIONS.items() if name in roles or not spec.optional]
    for function in deployed:
        client = assume(roles[function])
        for probe in PROBES:
            listed = probe.action in PERMISSIONS[function].get(probe.resource, ())
            if allowed(probe, client, outputs) is not listed:
                wrong.append(f"{function} {'cannot' if listed else 'can'} {probe.action} on {probe.resource}")
        for name in OF_A_STREAM:
            action = f"dynamodb:{name}"
            listed = action in PERMISSIONS[function].get(STREAM, ())
            if _simulated(administrator, roles[function], action, stream) is not listed:
                wrong.append(f"{function} {'cannot' if listed else 'can'} {action} on {STREAM}")
    if wrong:
        raise Failed("The roles are not as infra/permissions.py says:\n  " + "\n  ".join(wrong))
    return len(deployed) * (len(PROBES) + len(OF_A_STREAM))


def _simulated(administrator: Client, role: str, action: str, resource: str) -> bool:
    answer = administrator("iam").simulate_principal_policy(
        PolicySourceArn=role, ActionNames=[action], ResourceArns=[resource]
    )
    return bool(answer["EvaluationResults"][0]["EvalDecision"] == "allowed")


def allowed(probe: Probe, client: Client, outputs: Outputs) -> bool:
    """Whether a call is allowed; one that fails for any other reason has been let in."""
    try:
        probe.call(client, outputs)
    except ClientError as error:
        return error.response["Error"]["Code"] not in REFUSED
    return True
