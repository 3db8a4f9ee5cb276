"""Everything that a stack can leave behind, listed: what is there after `cdk destroy` must be what was there before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

Client = Callable[[str], Any]
List = Callable[[Any], list[Any]]

LISTS: Final[Mapping[str, tuple[str, List]]] = {
    "stack": ("cloudformation", lambda c: [s["StackName"] for s in c.describe_stacks()["Stacks"]]),
    "table": ("dynamodb", lambda c: c.list_tables()["TableNames"]),
    "bucket": ("s3", lambda c: [b["Name"] for b in c.list_buckets()["Buckets"]]),
    "queue": ("sqs", lambda c: c.list_queues().get("QueueUrls", [])),
    "function": ("lambda", lambda c: [f["FunctionName"] for f in c.list_functions()["Functions"]]),
    "mapping": ("lambda", lambda c: [m["UUID"] for m in c.list_event_source_mappings()["EventSourceMappings"]]),
    "log group": ("logs", lambda c: [g["logGroupName"] for g in c.describe_log_groups()["logGroups"]]),
    "secret": (
        "secretsmanager",
        lambda c: [s["Name"] for s in c.list_secrets(IncludePlannedDeletion=True)["SecretList"]],
    ),
    "user pool": ("cognito-idp", lambda c: [p["Name"] for p in c.list_user_pools(MaxResults=60)["UserPools"]]),
    "API": ("apigatewayv2", lambda c: [a["ApiId"] for a in c.get_apis()["Items"]]),
    "rule": ("events", lambda c: [r["Name"] for r in c.list_rules()["Rules"]]),
    "topic": ("sns", lambda c: [t["TopicArn"] for t in c.list_topics()["Topics"]]),
    "alarm": ("cloudwatch", lambda c: [a["AlarmName"] for a in c.describe_alarms()["MetricAlarms"]]),
    "dashboard": ("cloudwatch", lambda c: [d["DashboardName"] for d in c.list_dashboards()["DashboardEntries"]]),
    "role": ("iam", lambda c: [r["RoleName"] for r in c.list_roles()["Roles"]]),
}


def inventory(client: Client) -> frozenset[str]:
    """What there is in the account, as ``kind name``; `client` makes a client of a service."""
    return frozenset(f"{kind} {name}" for kind, (service, list_) in LISTS.items() for name in list_(client(service)))
